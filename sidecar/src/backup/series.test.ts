import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readLastBackup } from "../checks/last-backup.ts";
import { continueSeries } from "../cli/backup-series.ts";
import { CliError } from "../cli/exit-code.ts";
import { main } from "../cli/main.ts";
import { systemClock } from "../clock.ts";
import { openStore } from "../store/index.ts";
import { nameFor, rotate } from "./series.ts";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 2, 10, 3, 20);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-series-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A backup of so many days ago; resolves with its path. */
function backupOf(daysAgo: number): string {
  const at = NOW - daysAgo * DAY_MS;
  const path = join(dir, nameFor(at));
  writeFileSync(path, "");
  utimesSync(path, at / 1_000, at / 1_000);
  return path;
}
const left = () => readdirSync(dir).sort();

describe("of older backups", () => {
  it("the newest stay, up to so many", () => {
    const [made, ...before] = [0, 1, 2, 3, 4].map(backupOf) as [string, ...string[]];
    expect(rotate(made, { keep: 3, keepDays: 30 }, NOW)).toEqual([
      nameFor(NOW - 3 * DAY_MS),
      nameFor(NOW - 4 * DAY_MS),
    ]);
    expect([made, ...before].map(existsSync)).toEqual([true, true, true, false, false]);
  });

  it("none stays for longer than so many days, but for the one that was just made", () => {
    const made = backupOf(0);
    for (const daysAgo of [29, 31, 400]) backupOf(daysAgo);
    rotate(made, { keep: 14, keepDays: 30 }, NOW);
    expect(left()).toEqual([nameFor(NOW - 29 * DAY_MS), nameFor(NOW)]);
    // A clock that leaps, or was set back: what is whole stays.
    rotate(made, { keep: 1, keepDays: 1 }, NOW + 100 * DAY_MS);
    expect(left()).toEqual([nameFor(NOW)]);
    backupOf(-5);
    rotate(made, { keep: 1, keepDays: 30 }, NOW);
    expect(left()).toEqual([nameFor(NOW)]);
  });

  it("what is none of ours stays, and what a killed backup has left goes", () => {
    const made = backupOf(0);
    const foreign = ["hotbags.tar", "hotbags-20260101T000000Z.tar.age", "notes.txt"];
    for (const name of foreign) writeFileSync(join(dir, name), "");
    const part = (pid: number) => `${nameFor(NOW - DAY_MS)}.part-${pid}`;
    // No process has a number beyond the kernel's own limit.
    for (const pid of [process.pid, 2 ** 22 + 1]) mkdirSync(join(dir, part(pid)));
    rotate(made, { keep: 1, keepDays: 1 }, NOW);
    expect(left()).toEqual([...foreign, nameFor(NOW), part(process.pid)].sort());
  });
});

describe("one more backup of a series", () => {
  const output = { json: true, out: { write: () => true }, err: { write: () => true } } as never;
  let stateDir: string;
  let folder: string;
  beforeEach(() => {
    stateDir = join(dir, "state");
    folder = join(dir, "backups");
    mkdirSync(folder);
    openStore(stateDir, systemClock).close();
  });
  const parts = (uploadCommand?: string, to = folder) => ({
    ...{ stateDir, folder: to, keep: 2, keepDays: 30, uploadCommand },
  });
  const one = (uploadCommand?: string, to = folder) => continueSeries(parts(uploadCommand, to), output);

  it("is noted, and brought off the machine by the operator's command, which gets no secret", async () => {
    process.env["BRIDGE_TOKEN"] = "a secret of the bridge";
    expect(await one(`cp "$BACKUP_FILE" '${dir}/off.tar'; env >'${dir}/env'`)).toBe(0);
    delete process.env["BRIDGE_TOKEN"];
    const [name = ""] = readdirSync(folder);
    const file = join(folder, name);
    expect(readFileSync(join(dir, "off.tar"))).toEqual(readFileSync(file));
    expect(readFileSync(join(dir, "env"), "utf8")).not.toContain("a secret");
    expect(readLastBackup(stateDir)).toMatchObject({ file, uploaded: true, problem: null });
  });

  it("stays here where that command fails, which is told", async () => {
    await expect(one("exit 3")).rejects.toThrow(CliError);
    expect(readdirSync(folder)).toHaveLength(1);
    expect(readLastBackup(stateDir)).toMatchObject({
      uploaded: false,
      problem: expect.stringMatching(/only.*code 3$/),
    });
  });

  it("is brought off the machine also where an older one can't be removed, which is told", async () => {
    mkdirSync(join(folder, "hotbags-20200101T000000Z.tar"));
    await expect(continueSeries({ ...parts(`cp "$BACKUP_FILE" '${dir}/off.tar'`), keep: 1 }, output)).rejects.toThrow(
      /older backups can't be removed \(ERR_FS_EISDIR\)/,
    );
    expect(existsSync(join(dir, "off.tar"))).toBe(true);
    expect(readLastBackup(stateDir)).toMatchObject({ uploaded: true, problem: expect.stringMatching(/older/) });
  });

  it("that can't be made removes none, and leaves the last whole one noted", async () => {
    expect(await one()).toBe(0);
    const [name = ""] = readdirSync(folder);
    rmSync(join(stateDir, "bridge.sqlite"));
    await expect(one()).rejects.toThrow(CliError);
    expect(readdirSync(folder)).toEqual([name]);
    expect(readLastBackup(stateDir)).toMatchObject({ file: join(folder, name), problem: expect.any(String) });
  });

  it("is made by the unit's line, and refused with counts that are none", async () => {
    const unit = readFileSync(new URL("../../../systemd/hotbags-backup.service", import.meta.url), "utf8");
    const variable = (name: string) => new RegExp(`^Environment=${name}=(.*)$`, "m").exec(unit)?.[1] ?? "";
    const line = /cli\.js (backup .*)$/m.exec(unit)?.[1] ?? "";
    const args = line
      .replace("/var/backups/hotbags", folder)
      .replace(/\$\{(\w+)\}/g, (_, name) => variable(name))
      .split(" ");
    expect(args).toHaveLength(6);
    expect(await main(args, { BRIDGE_STATE_DIR: stateDir })).toBe(0);
    expect(readdirSync(folder)).toHaveLength(1);
    const wrong = [...args.slice(0, -1), "soon"];
    expect(await main(wrong, { BRIDGE_STATE_DIR: stateDir })).toBe(2);
  });

  it("goes into a folder", async () => {
    await expect(one(undefined, join(dir, "none"))).rejects.toThrow(/is for a folder/);
  });
});
