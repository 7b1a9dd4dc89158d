import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore, type Store } from "../../sidecar/src/store/index.ts";
import { Failpoint } from "../crash/failpoint.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { messageOf } from "./message.ts";

// A restore that is killed where it puts one state in the place of another.

vi.setConfig({ testTimeout: 60_000 });

const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));

let dir: string;
let failpoint: Failpoint;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-restore-"));
  failpoint = new Failpoint();
});
afterEach(() => {
  failpoint.remove();
  rmSync(dir, { recursive: true });
});

async function killedRestore(stateDir: string, file: string) {
  const args = [`--import=${failpoint.module}`, CLI, "restore", file, "--force", "--state-dir", stateDir];
  const child = spawn(process.execPath, args, { env: { ...process.env, ...failpoint.env }, stdio: "ignore" });
  return (await once(child, "close"))[1];
}

async function withStore<Result>(stateDir: string, look: (store: Store) => Result): Promise<Awaited<Result>> {
  const store = openStore(stateDir, systemClock);
  try {
    return await look(store);
  } finally {
    store.close();
  }
}

it.each(["swap:begun", "swap:moved-away", "swap:moved-in"])(
  "at %s it leaves half of a state to nobody, and is done when it is done again",
  async (point) => {
    const stateDir = join(dir, "state");
    await withStore(stateDir, (store) => store.messages.accept(messageOf("A")));
    const { stdout } = await runHotbags(stateDir, "backup", dir);
    const file = stdout.trim();
    await withStore(stateDir, (store) => store.messages.accept(messageOf("B")));

    failpoint.arm(point);
    expect(await killedRestore(stateDir, file)).toBe("SIGKILL");
    expect(() => openStore(stateDir, systemClock)).toThrow(/cut off.*before-restore.*hotbags restore/);
    const refused = { code: 3, stderr: expect.stringMatching(/cut off.*hotbags restore/) };
    expect(await runHotbags(stateDir, "status")).toMatchObject(refused);
    const again = await runHotbags(stateDir, "backup", join(dir, "half.tar"));
    expect(again.code).not.toBe(0);
    expect(again.stderr).toMatch(/cut off.*hotbags restore/);
    expect(await runHotbags(stateDir, "restore", file, "--force")).toMatchObject({ code: 0 });
    const accepted = await withStore(stateDir, async (store) => (await store.counters()).accepted);
    expect(accepted).toBe(1);
  },
);
