import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// A machine is lost with a queue in flight, and goes on from a backup that was made before: on the built sidecar.

// A dozen processes: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 90_000 });

const CARL = "+15550001003";
const DORA = "+15550001004";

let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: BuiltSidecar;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hotbags-backups-"));
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id: id }) => [{ command_id: `to ${id}`, type: "send_text", text: `to ${id}` }]);
  gateway = await new ScriptedGateway().start();
  // As many in one chat as come in while a backup is made, however long that takes.
  const noBrake = { BRIDGE_CHAT_REPLIES_PER_MINUTE: "0", BRIDGE_CHAT_REPLIES_PER_HOUR: "0" };
  sidecar = await BuiltSidecar.start({ hotbags, gateway, env: noBrake });
});
afterEach(async () => {
  await sidecar.process.kill();
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]) => runHotbags(sidecar.dir, ...args);
const sent = () => gateway.sends.map(({ idempotencyKey }) => idempotencyKey);
const isSent = (id: string) => until(`${id} is sent`, () => sent().includes(id));
const repliesIn = async (state: string) => {
  const { stdout } = await run("commands", "list", "--state", state, "--json", "--limit", "1000000");
  return (JSON.parse(stdout) as { command_id: string }[]).map(({ command_id }) => command_id).sort();
};

/** Hands in one message after the other until it is told to stop. Resolves with their ids, all of which are acked. */
function traffic(plugin: ScriptedPlugin) {
  let isOver = false;
  const handIn = async () => {
    const ids: string[] = [];
    for (let n = 0; !isOver; n += 1) {
      ids.push(`T${n}`);
      expect(await plugin.handIn(messageOf(`T${n}`, DORA))).toMatchObject({ type: "ack" });
    }
    return ids;
  };
  const handedIn = handIn();
  return async () => {
    isOver = true;
    return await handedIn;
  };
}

it("a restored backup sends no reply twice, and what may have been sent since is in doubt", async () => {
  const plugin = await sidecar.connect();
  await plugin.handIn(messageOf("A", ANNA));
  await isSent("to A");

  // When the backup is made, one reply is being sent, one waits behind it, and a message with a file waits for Hot Bags.
  const sending = Promise.withResolvers<void>();
  gateway.send = async ({ idempotencyKey }) => {
    if (idempotencyKey === "to B") await sending.promise;
    return { ok: true, payload: { messageId: `WA-${idempotencyKey}` } };
  };
  for (const id of ["B", "C"]) await plugin.handIn(messageOf(id, BEN));
  await isSent("to B");
  await hotbags.receives("C");
  const mended = hotbags.faultFor(({ message_id }) => message_id === "D", { status: 503 }, Number.POSITIVE_INFINITY);
  const photo = randomBytes(100_000);
  const item = { type: "image" as const, mime_type: "image/jpeg", file_name: "bag.jpg", size_bytes: photo.length };
  const media = [{ ...item, sha256: await sidecar.upload(photo) }];
  await plugin.handIn(messageOf("D", CARL, { media }));
  await until("D was tried", () => hotbags.requests.some(({ key }) => key === "D"));

  const stop = traffic(plugin);
  const made = await run("backup", folder);
  const crowd = await stop();
  expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining("1 attachment; checked") });
  const audit = JSON.parse((await run("audit", "--json", "--limit", "1")).stdout);
  expect(audit).toMatchObject([
    { action: "back up", kind: "backup", result: expect.stringMatching(/^done, \d+ bytes$/) },
  ]);
  const file = made.stdout.trim();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toHaveLength(1);
  expect(readdirSync(sidecar.dir).filter((name) => name.startsWith("."))).toEqual([]);

  // What nobody will remember: they are sent, a new message is answered, and then the machine is gone.
  sending.resolve();
  mended();
  await plugin.handIn(messageOf("E", ANNA));
  const all = ["to A", "to B", "to C", "to D", "to E", ...crowd.map((id) => `to ${id}`)];
  for (const id of all) await isSent(id);
  const refused = await run("restore", file, "--force");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("a sidecar that runs") });
  await sidecar.process.kill();
  for (const name of readdirSync(sidecar.dir)) rmSync(join(sidecar.dir, name), { recursive: true });

  const restored = await run("restore", file, "--json");
  expect(restored).toMatchObject({ code: 0 });
  expect(JSON.parse(restored.stdout)).toMatchObject({ in_doubt: expect.any(Number), kept: null });
  // The gateway is another process by now. In its transcript it has one of them.
  await gateway.stop();
  gateway.bootId = "boot-2";
  gateway.history = (session) => (session.includes(BEN) ? ["to B"] : []);
  await gateway.start();
  await sidecar.process.start();
  const again = await sidecar.connect();
  // The plugin hands in again what it was not acknowledged for, and what WhatsApp delivers once more.
  for (const id of ["E", ...crowd]) await again.handIn(messageOf(id, id === "E" ? ANNA : DORA));
  await again.handIn(messageOf("F", ANNA, { timestamp: new Date().toISOString() }));
  await isSent("to F");
  const isSettled = async () => {
    const { messages, commands } = (await sidecar.health<{ messages: Counts; commands: Counts }>()).body;
    return messages["pending"] === 0 && commands["pending"] === 0 && messages["delivered"] === crowd.length + 6;
  };
  await until("all is delivered", isSettled);
  await until("the proof is found", async () => (await repliesIn("sent")).includes("to B"));

  expect(sent().toSorted()).toEqual([...all, "to F"].toSorted());
  const doubts = await repliesIn("in_doubt");
  expect(doubts).toEqual(expect.arrayContaining(["to C", "to D", "to E"]));
  expect(doubts).not.toEqual(expect.arrayContaining(["to A"]));
  const { body } = await sidecar.health();
  expect(body.problems.join()).not.toContain("ledger");
  expect(hotbags.violations).toEqual([]);

  // The operator settles them in bulk, and sees before what that would do.
  const dry = await run("commands", "resolve", "--all", "--chat", CARL, "--resend", "--dry-run");
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("to D") });
  expect(await run("commands", "resolve", "--all", "--discard")).toMatchObject({ code: 2 });
  expect(await repliesIn("in_doubt")).toEqual(doubts);
  // A restart finds them as they were.
  await sidecar.process.restart();
  expect(await repliesIn("in_doubt")).toEqual(doubts);
  expect(sent()).toHaveLength(all.length + 1);
  const resolved = await run("commands", "resolve", "--all", "--discard", "--yes");
  expect(resolved).toMatchObject({ code: 0, stderr: expect.stringContaining(`${doubts.length} of`) });
  expect(await repliesIn("in_doubt")).toEqual([]);
});

type Counts = Record<string, number>;
