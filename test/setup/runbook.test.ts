import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ALERTS } from "../../sidecar/src/alerts/table.ts";
import { hotbagsMistake, isKnownPath, isSetting, isUnit, mistakeIn, pathsIn } from "./known-commands.ts";
import { ROOT, runbookPages } from "./runbook-pages.ts";
import { commandsIn } from "./shell-lines.ts";

// The runbook is read at night, by somebody who copies what stands there. So each command of it must be one.

const PAGES = runbookPages();

/** Each mistake, with its command. */
async function mistakes(script: string): Promise<string[]> {
  const found: string[] = [];
  for (const command of commandsIn(script)) {
    const mistake = await mistakeIn(command);
    if (mistake) found.push(`${command.words.join(" ")}: ${mistake}`);
  }
  return found;
}

describe.each(PAGES)("$path", ({ text, blocks, spans }) => {
  it("has only commands that exist", async () => {
    const scripts = blocks.filter(({ language }) => language === "sh").map((block) => block.text);
    // What is meant to be typed as it stands, in the midst of a sentence.
    const inline = spans.filter((span) => /^(sudo|hotbags|systemctl|journalctl|npm run|openclaw hotbags) /.test(span));
    const said = inline.map((span) => span.replace(/^openclaw /, "hotbags-openclaw ").replace(/FILE|<\w+>/g, "1"));
    const found: string[] = [];
    for (const script of [...scripts, ...said]) found.push(...(await mistakes(script)));
    expect(found).toEqual([]);
  });

  it("has no block that the shell can't read", () => {
    const script = blocks.filter(({ language }) => language === "sh").map((block) => block.text);
    expect(execFileSync("bash", ["-n"], { input: script.join("\n"), encoding: "utf8" })).toBe("");
  });

  it("names files, units and settings that are there", () => {
    expect(pathsIn(text).filter((file) => !isKnownPath(file))).toEqual([]);
    const units = text.match(/\b[\w-]+@?\.(service|timer|target)\b/g) ?? [];
    expect(units.filter((name) => !isUnit(name))).toEqual([]);
    const settings = text.match(/\b(HOTBAGS|BRIDGE|ALERT|HEALTH|OPENCLAW)_[A-Z_]+[A-Z]\b/g) ?? [];
    expect(settings.filter((name) => !isSetting(name))).toEqual([]);
  });
});

it("what it shows of install.sh is what that says", () => {
  const install = readFileSync(join(ROOT, "systemd/install.sh"), "utf8");
  // What a variable stands for can be anything.
  const steps = [...install.matchAll(/^ *step "(.*)"$/gm)].map(([, step = ""]) => {
    const said = step.split(/\$(?:\w+|\{[^}]*\})/).map((part) => part.replaceAll(/[.*+?^()[\]{}|\\]/g, "\\$&"));
    return new RegExp(`^${said.join(".*")}$`);
  });
  const shown = PAGES.flatMap(({ blocks }) => blocks).flatMap(({ text }) => text.match(/(?<=^· ).*$/gm) ?? []);
  expect(shown.length).toBeGreaterThan(5);
  expect(shown.filter((line) => !steps.some((step) => step.test(line)))).toEqual([]);
});

it("the runbook says of each alert what to do, in the order of the table", () => {
  const rows = [...(PAGES.find(({ path }) => path.endsWith("alerts.md"))?.text ?? "").matchAll(/^\| `(\w+)` \|/gm)];
  expect(rows.map(([, kind]) => kind)).toEqual(Object.keys(ALERTS));
});

describe("a mistake in the runbook", () => {
  it.each([
    ["sudo hotbags mesages list", "mesages"],
    ["sudo hotbags messages list --stat dead", "stat"],
    ["sudo hotbags messages list --state died", "--state: must be some of"],
    ["sudo hotbags messages show", "an argument is missing"],
    ["hotbags status --json | jqq .messages", "jqq is no program"],
    ["sudo systemctl restart hotbags-sidcar", "no unit hotbags-sidcar"],
    ["sudo systemctl restrat hotbags-sidecar", "no restrat"],
    ["sudo journalctl -u openclaw-gatway -n 50", "no unit openclaw-gatway"],
    ["sudo ./install.sh --token-fil token", "no --token-fil"],
    ["sudo hotbags-openclaw hotbags parkd list", "openclaw hotbags parkd list"],
    ["sudo cat /etc/hotbags/sidecar.evn", "nothing makes /etc/hotbags/sidecar.evn"],
    ["sudo nano /etc/hotbags/secrets/HOTBAGS_BEARER", "nothing makes"],
    ["sudo cat /opt/hotbags/systemd/instal.sh", "nothing makes"],
    ['sudo sh -c "cat x >>/etc/hotbags/sidecar.evn"', "nothing makes"],
    ["npm run pakage", "no npm run pakage"],
    ["npm run -s hotbags -- statu", "Did you mean status"],
    ["apt-get updat", "apt-get has no updat"],
  ])("is found: %s", async (line, what) => {
    expect((await mistakes(line)).join()).toContain(what);
  });

  it("is not found where there is none", async () => {
    expect(await hotbagsMistake(["commands", "resolve", "--all", "--resend", "--dry-run"])).toBe(null);
    expect(commandsIn("a 'b c' \"$(d e)\" >f | g # h\ni \\\n  j")).toEqual([
      { words: ["d", "e"], files: [] },
      { words: ["a", "b c", "…"], files: ["f"] },
      { words: ["g"], files: [] },
      { words: ["i", "j"], files: [] },
    ]);
  });
});
