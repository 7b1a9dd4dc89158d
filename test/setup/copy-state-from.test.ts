import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ROOT } from "./runbook-pages.ts";

// Moving to another machine: with the programs of the system replaced by ones that write down what they are told.

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-copy-"));
  mkdirSync(join(dir, "bin"));
  program("id", "echo 0");
  program("systemctl", "exit 3");
  program("ssh", "exit 3");
  program("rsync", `printf '%s|' "$@" >>${dir}/copied; echo >>${dir}/copied`);
});
afterEach(() => rmSync(dir, { recursive: true }));

function program(name: string, does: string) {
  const path = join(dir, "bin", name);
  writeFileSync(path, `#!/bin/sh\n${does}\n`);
  chmodSync(path, 0o755);
}

function copyStateFrom(...args: string[]) {
  const env = { PATH: `${join(dir, "bin")}:/usr/bin:/bin` };
  const script = readFileSync(join(ROOT, "systemd/copy-state-from"), "utf8").replace("=/var/lib/openclaw/", `=${dir}/`);
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile("sh", ["-c", script, "copy-state-from", ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

it("takes settings, queue and session, but not what is of the other machine's kind", async () => {
  expect(await copyStateFrom("ubuntu@old.example")).toMatchObject({ code: 0, stderr: "" });
  const copied = readFileSync(join(dir, "copied"), "utf8").trim().split("\n");
  expect(copied.map((line) => line.split("|").slice(-3, -1))).toEqual(
    ["/etc/hotbags/", "/var/lib/hotbags/", "/var/lib/openclaw/"].map((path) => [`ubuntu@old.example:${path}`, path]),
  );
  for (const option of ["--delete", "--exclude=/.openclaw/npm", "--exclude=/operator.sock"])
    expect(copied.every((line) => line.includes(`${option}|`))).toBe(true);
});

it.each([
  ["without a machine", [], "id", "echo 0", "say from where"],
  ["without root's rights", ["ubuntu@old.example"], "id", "echo 1000", "run it as root"],
  ["over what runs", ["ubuntu@old.example"], "systemctl", "exit 0", "hotbags-sidecar runs here"],
])("refuses %s, and copies nothing", async (_case, args, name, does, why) => {
  program(name, does);
  expect(await copyStateFrom(...args)).toMatchObject({ code: 1, stderr: expect.stringContaining(why) });
  expect(existsSync(join(dir, "copied"))).toBe(false);
});

it("refuses to write a session that is none over the shop's own", async () => {
  mkdirSync(join(dir, ".openclaw/credentials/whatsapp"), { recursive: true });
  const reason = /linked here, and none there.*on the new machine/;
  expect(await copyStateFrom("ubuntu@new.example")).toMatchObject({ code: 1, stderr: expect.stringMatching(reason) });
  expect(existsSync(join(dir, "copied"))).toBe(false);
});

it("says that the other machine still runs", async () => {
  program("ssh", 'case "$*" in *is-active*) exit 0 ;; *) exit 3 ;; esac');
  const { code, stdout } = await copyStateFrom("ubuntu@old.example");
  expect([code, stdout]).toEqual([0, expect.stringMatching(/still runs on ubuntu@old.example.*stop it there/)]);
});
