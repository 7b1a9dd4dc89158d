import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { isKnownPath, isSetting, mistakeIn, pathsIn } from "./known-commands.ts";
import { has } from "./programs.ts";
import { ROOT } from "./runbook-pages.ts";
import { commandsIn } from "./shell-lines.ts";

// docs/cloud-init.yaml is run once, by nobody who watches. cloud-init's own schema takes it too (`cloud-init schema --config-file`).

/** What cloud-init knows, as far as it is used here. */
const KEYS = {
  top: [
    ...["package_update", "package_upgrade", "package_reboot_if_required", "packages", "timezone", "ssh_pwauth"],
    ...["disable_root", "write_files", "runcmd", "final_message"],
  ],
  file: ["path", "permissions", "content", "owner"],
};

interface UserData {
  write_files: { path: string; permissions?: string; content: string }[];
  runcmd: unknown[];
}

const text = readFileSync(join(ROOT, "docs/cloud-init.yaml"), "utf8");
const data = parse(text) as UserData;
const file = (path: string) => data.write_files.find((it) => it.path === path)?.content ?? "";
const answers = file("/var/lib/hotbags-install/answers");
const script = file("/var/lib/hotbags-install/run");

it("it is user data, and has only what cloud-init knows", () => {
  expect(text).toMatch(/^#cloud-config\n/);
  expect(Object.keys(data).filter((key) => !KEYS.top.includes(key))).toEqual([]);
  expect(data.write_files.flatMap(Object.keys).filter((key) => !KEYS.file.includes(key))).toEqual([]);
});

it("what it runs the shell can read, and install.sh has the options that it is given", async () => {
  expect(data.runcmd).toEqual([["/var/lib/hotbags-install/run"]]);
  expect(execFileSync("sh", ["-n"], { input: script, encoding: "utf8" })).toBe("");
  const [install = "", ...more] = script.match(/^ *\.\/install\.sh.*$/gm) ?? [];
  expect(more).toEqual([]);
  expect(await Promise.all(commandsIn(install).map(mistakeIn))).toEqual([null]);
});

it.runIf(has("shellcheck"))("shellcheck finds nothing in it", () => {
  const said = execFileSync("shellcheck", ["--exclude=SC1091", "-"], { input: script, encoding: "utf8" });
  expect(said).toBe("");
});

it("it answers what install.sh asks, by names that install.sh takes from the environment", () => {
  const install = readFileSync(join(ROOT, "systemd/install.sh"), "utf8");
  const named = [...answers.matchAll(/^([A-Z_]+)=/gm)].map(([, name = ""]) => name);
  expect(named.filter((name) => !install.includes(`\${${name}:-}`) && !script.includes(`$${name}`))).toEqual([]);
  expect(named).toEqual(expect.arrayContaining(["HOTBAGS_BASE_URL", "HOTBAGS_ALLOW"]));
});

it("each secret is a file of root's alone, in the place where install.sh looks, and nowhere else", () => {
  expect(data.write_files.filter(({ path }) => !path.endsWith("/run")).map((it) => it.permissions)).toEqual(
    data.write_files.filter(({ path }) => !path.endsWith("/run")).map(() => "0600"),
  );
  const secrets = data.write_files.flatMap(({ path }) => /^\/etc\/hotbags\/secrets\/(.*)$/.exec(path)?.[1] ?? []);
  expect(secrets).toContain("HOTBAGS_BEARER_TOKEN");
  expect(secrets.filter((name) => !isSetting(name))).toEqual([]);
  for (const name of secrets) expect(`${answers}${script}${JSON.stringify(data.runcmd)}`).not.toContain(name);
});

it("it names files that are there", () => {
  const named = pathsIn(text).filter((path) => !/^\/(var\/log\/cloud-init-output\.log|etc\/fstab)$/.test(path));
  expect(named.filter((path) => !isKnownPath(path))).toEqual([]);
});
