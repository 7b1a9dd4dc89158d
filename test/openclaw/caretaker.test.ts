import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { until } from "../until.ts";
import { startCaretaker } from "./caretaker.ts";
import { killStragglers, MARK } from "./stragglers.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotbags-caretaker-"));
});

/** Stands for a gateway: leads a group of its own, and runs until it is killed. */
function sleeper(env: Record<string, string> = {}): ChildProcess & { pid: number } {
  const child = spawn("/bin/sleep", ["60"], { detached: true, stdio: "ignore", env });
  if (child.pid === undefined) throw new Error("could not start /bin/sleep");
  return child as ChildProcess & { pid: number };
}

test("cleaning up kills the group that is named, and removes the folder", async () => {
  const caretaker = startCaretaker(folder);
  const child = sleeper();
  caretaker.watch(child.pid);
  const ended = once(child, "exit");
  await caretaker.cleanUp();
  expect(await ended).toEqual([null, "SIGKILL"]);
  expect(existsSync(folder)).toBe(false);
});

test.runIf(process.platform === "linux")(
  "so it does to what is marked with the folder, in whatever group",
  async () => {
    const caretaker = startCaretaker(folder);
    const [helper, stranger] = [sleeper({ [MARK]: folder }), sleeper({ [MARK]: `${folder}2` })];
    const [helperEnded, strangerEnded] = [once(helper, "exit"), once(stranger, "exit")];
    await caretaker.cleanUp();
    expect(await helperEnded).toEqual([null, "SIGKILL"]);
    // One that was killed has no environment any more.
    expect(readFileSync(`/proc/${stranger.pid}/environ`, "utf8")).toContain(`${folder}2`);
    await killStragglers(`${folder}2`);
    expect(await strangerEnded).toEqual([null, "SIGKILL"]);
  },
);

test("a group that is no longer named is left alone", async () => {
  const caretaker = startCaretaker(folder);
  const child = sleeper();
  caretaker.watch(child.pid);
  caretaker.watch(undefined);
  const ended = once(child, "exit");
  await caretaker.cleanUp();
  // It lives, or it would end with another signal.
  child.kill("SIGTERM");
  expect(await ended).toEqual([null, "SIGTERM"]);
});

test("nothing outlives the owner, even if it is killed", async () => {
  const owner = spawn(process.execPath, [join(import.meta.dirname, "caretaker-owner.child.ts"), folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [pid] = (await once(owner.stdout, "data")).map(Number);
  if (pid === undefined) throw new Error("the owner did not say what it started");
  expect(isAlive(pid)).toBe(true);
  owner.kill("SIGKILL");
  await until("the group is killed", () => !isAlive(pid));
  await until("the folder is removed", () => !existsSync(folder));
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
