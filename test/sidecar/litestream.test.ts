import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { findLitestream } from "../setup/litestream.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";

// A machine is lost, and goes on from what litestream has copied of its database: the real one, beside the built sidecar.

// Many processes: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;
const CARL = "+15550001003";
const run = promisify(execFile);

let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: BuiltSidecar;
let folder: string;
let copying: ChildProcess | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hotbags-litestream-"));
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id: id }) => [{ command_id: `to ${id}`, type: "send_text", text: `to ${id}` }]);
  gateway = await new ScriptedGateway().start();
  sidecar = await BuiltSidecar.start({ hotbags, gateway });
});
afterEach(async () => {
  if (copying) await end(copying);
  copying = undefined;
  await sidecar.process.kill();
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
  rmSync(folder, { recursive: true });
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

const sent = () => gateway.sends.map(({ idempotencyKey }) => idempotencyKey);
const isSent = (id: string) => until(`${id} is sent`, () => sent().includes(id), PATIENCE_MS);
const repliesIn = async (dir: string, state: string) => {
  const { stdout } = await runHotbags(dir, "commands", "list", "--state", state, "--json");
  return (JSON.parse(stdout) as { command_id: string }[]).map(({ command_id }) => command_id).sort();
};

it("what litestream has copied is restored by the drill: nothing is sent twice, and what it does not know is in doubt", async (test) => {
  const found = await findLitestream();
  // Its package is not for this machine, or can't be had: the skip says so. CI has it.
  if (typeof found === "string") return test.skip(found);
  const litestream = (...args: string[]) => run(found.program, args);
  const database = join(sidecar.dir, "bridge.sqlite");
  const config = join(folder, "litestream.yml");
  const copy = join(folder, "copy");
  writeFileSync(
    config,
    `dbs:\n  - path: ${database}\n    replicas:\n      - type: file\n        path: ${copy}\n        sync-interval: 100ms\n`,
  );
  copying = spawn(found.program, ["replicate", "-config", config], { stdio: "ignore" });
  await until("litestream has begun", () => existsSync(join(sidecar.dir, ".bridge.sqlite-litestream")), PATIENCE_MS);
  // From now on it leaves the log to litestream.
  await sidecar.process.restart();
  const plugin = await sidecar.connect();

  // The last that is copied: a reply that is out, one that is being sent, and a message that waits for Hot Bags.
  await plugin.handIn(messageOf("A", ANNA));
  await isSent("to A");
  const sending = Promise.withResolvers<void>();
  gateway.send = async ({ idempotencyKey }) => {
    if (idempotencyKey === "to B") await sending.promise;
    return { ok: true, payload: { messageId: `WA-${idempotencyKey}` } };
  };
  const mended = hotbags.faultFor(({ message_id }) => message_id === "D", { status: 503 }, Number.POSITIVE_INFINITY);
  await plugin.handIn(messageOf("B", BEN));
  await isSent("to B");
  await plugin.handIn(messageOf("D", CARL));
  await until("D was tried", () => hotbags.requests.some(({ key }) => key === "D"), PATIENCE_MS);
  let drills = 0;
  /** An empty folder with the database of the copy, as it is now. */
  const restoreCopy = async () => {
    const dir = join(folder, `drill-${++drills}`);
    mkdirSync(dir);
    await litestream("restore", "-config", config, "-o", join(dir, "bridge.sqlite"), database);
    return dir;
  };
  await until(
    "it is copied",
    async () => {
      const { stdout } = await runHotbags(await restoreCopy(), "messages", "list", "--json");
      return stdout.includes('"D"');
    },
    PATIENCE_MS,
  );
  const copiedUntil = new Date().toISOString();
  await end(copying);

  // What nobody will remember.
  sending.resolve();
  mended();
  await plugin.handIn(messageOf("E", ANNA, { timestamp: new Date().toISOString() }));
  for (const id of ["to B", "to D", "to E"]) await isSent(id);
  expect(sidecar.lines.join("\n")).not.toMatch(/SQLITE_BUSY|can't be written/);
  await sidecar.process.kill();
  for (const name of readdirSync(sidecar.dir)) rmSync(join(sidecar.dir, name), { recursive: true });

  const dir = await restoreCopy();
  const file = join(folder, "of-the-copy.tar");
  expect(await runHotbags(dir, "backup", file, "--made-at", copiedUntil)).toMatchObject({ code: 0 });
  const restored = await runHotbags(sidecar.dir, "restore", file, "--json");
  expect(restored).toMatchObject({ code: 0 });
  expect(JSON.parse(restored.stdout)).toMatchObject({ made_at: copiedUntil, in_doubt: 1, maybe_answered: 1 });

  await gateway.stop();
  gateway.bootId = "boot-2";
  gateway.history = () => [];
  await gateway.start();
  await sidecar.process.start();
  const again = await sidecar.connect();
  // WhatsApp delivers once more what the copy does not know.
  const { timestamp: ofE } = hotbags.requests.find(({ key }) => key === "E")?.body ?? {};
  await again.handIn(messageOf("E", ANNA, { timestamp: String(ofE) }));
  await again.handIn(messageOf("F", BEN, { timestamp: new Date().toISOString() }));
  await isSent("to F");
  await until("all is answered", async () => (await repliesIn(sidecar.dir, "in_doubt")).length === 3, PATIENCE_MS);
  expect(await repliesIn(sidecar.dir, "in_doubt")).toEqual(["to B", "to D", "to E"]);
  expect(sent().toSorted()).toEqual(["to A", "to B", "to D", "to E", "to F"]);
  expect(hotbags.violations).toEqual([]);
});
