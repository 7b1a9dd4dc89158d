import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { main } from "../../sidecar/src/cli/main.ts";
import { ROOT, runbookPages } from "../setup/runbook-pages.ts";
import { leaveANight, steadied } from "./night.ts";

// What the runbook shows is what the command says: each block of the language `console` is run again, in the test's own process, on what
// a night has left behind. `vitest run --project unit runbook-transcripts -u` writes down what is new.

/** A backup's name in the pages; the real one says when it was made. */
const SHOWN_BACKUP = "hotbags-20260302T031240Z.tar";
const BACKUP = /hotbags-\d{8}T\d{6}Z\.tar/;

let dir: string;
let stateDir: string;
let backups: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-runbook-"));
  [stateDir, backups] = [join(dir, "state"), join(dir, "backups")];
  mkdirSync(stateDir);
  mkdirSync(backups);
  await leaveANight(stateDir);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

/** What the command writes, its answer first. That no sidecar runs is the test's own case. */
async function said(args: string[]): Promise<string> {
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      written[name] += String(text);
      return true;
    });
  await main(args, { BRIDGE_STATE_DIR: stateDir });
  vi.restoreAllMocks();
  return (
    `${written.stdout}${written.stderr}`
      .replace(/^No (sidecar runs on|line in the audit says so) ?.*\n/gm, "")
      // How far a step is, which is said on a machine that is slow, and is nothing that the page shows.
      .replace(/^[^:\n]+(: \d+ %| …)\n/gm, "")
  );
}

/** A block as it should be: its command, and what that says now. */
async function rerun(command: string): Promise<string> {
  const real = readdirSync(backups)[0] ?? "";
  const args = command.replace(SHOWN_BACKUP, real).replace("/var/backups/hotbags", backups).split(" ");
  const answer = (await said(args))
    .replaceAll(backups, "/var/backups/hotbags")
    .replaceAll(new RegExp(BACKUP, "g"), SHOWN_BACKUP)
    .replace(/before-restore-[\dTZ.-]+Z/, "before-restore-2026-03-02T03-12-40.000Z");
  return `\`\`\`console\n$ hotbags ${command}\n${steadied(answer, stateDir)}\n\`\`\``;
}

it.each(runbookPages().filter(({ text }) => text.includes("```console")))(
  "$path shows what is said",
  async ({ path }) => {
    let page = readFileSync(join(ROOT, path), "utf8");
    for (const [block, command = ""] of page.matchAll(/```console\n\$ hotbags (.*)\n(?:.*\n)*?```/g)) {
      const now = await rerun(command);
      page = page.replace(block, () => now);
    }
    await expect(page).toMatchFileSnapshot(join(ROOT, path));
  },
);
