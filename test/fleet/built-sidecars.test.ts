import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { migrate } from "../../sidecar/src/store/postgres/migrate.ts";
import { migrations } from "../../sidecar/src/store/postgres/migrations/index.ts";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import type { LogLine } from "../shop/sidecar-process.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, messageOf } from "../sidecar/message.ts";
import type { ScriptedPlugin } from "../sidecar/scripted-plugin.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases, through } from "./databases.ts";

// The product as it is started by an operator: `hotbags serve` with BRIDGE_STORE, on a real PostgreSQL.

const PATIENCE_MS = 120_000;

let databases: Databases | string;
let hotbags: HotBags;
let gateway: ScriptedGateway;
const sidecars: BuiltSidecar[] = [];

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});
beforeEach(async () => {
  gateway = await new ScriptedGateway().start();
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [{ command_id: `to-${message_id}`, type: "send_text", text: "hello" }]);
});
afterEach(async () => {
  await Promise.all(sidecars.splice(0).map((sidecar) => sidecar.close()));
  await hotbags.close();
  await gateway.stop();
});

async function database(test: Pick<TestContext, "skip">): Promise<string> {
  return await running(test, databases).make();
}

async function prepare(url: string, name: string, beside = gateway, more: Record<string, string> = {}) {
  const env = { BRIDGE_STORE: url, BRIDGE_INSTANCE: name, ...more };
  const sidecar = await BuiltSidecar.prepare({ hotbags, gateway: beside, env });
  sidecars.push(sidecar);
  return sidecar;
}

async function start(...of: Parameters<typeof prepare>): Promise<BuiltSidecar> {
  const sidecar = await prepare(...of);
  await sidecar.process.start();
  return sidecar;
}

/** One beside another sidecar, with these accounts. */
async function anotherGateway(accounts: unknown) {
  const another = new ScriptedGateway();
  another.accounts = accounts;
  await another.start();
  return { gateway: another, [Symbol.asyncDispose]: () => another.stop() };
}

/** As the plugin does: again, until it is acknowledged. */
async function handIn(plugin: ScriptedPlugin, id: string): Promise<void> {
  await until(
    `${id} is acknowledged`,
    async () => (await plugin.handIn(messageOf(id, ANNA))).type === "ack",
    PATIENCE_MS,
  );
}

/** Of the outbox. */
const toAnna = (id: string) => ({
  ...{ command_id: id, type: "send_text", text: "hello", to: ANNA, transport_session_id: "whatsapp:default" },
});

const sent = () => gateway.sends.map(({ idempotencyKey }) => idempotencyKey);
const sends = (...ids: string[]) => until(`${ids} are sent`, () => sent().join() === ids.join(), PATIENCE_MS);
const isWell = (sidecar: BuiltSidecar) =>
  until("all is well", async () => (await sidecar.health()).body.ok, PATIENCE_MS);

describe("a sidecar on PostgreSQL", { timeout: 300_000 }, () => {
  it("takes a message in by the plugin's link, POSTs it and sends the reply, and knows of it after a restart", async (test) => {
    const sidecar = await start(await database(test), "first");
    const plugin = await sidecar.connect();
    await handIn(plugin, "a1");
    await sends("to-a1");
    await isWell(sidecar);
    const counts = async () => (await sidecar.health<{ messages: object; commands: object }>()).body;
    const delivered = { messages: { accepted: 1, delivered: 1, pending: 0 }, commands: { sent: 1 } };
    await until("the reply is settled", async () => "sent" in (await counts()).commands);
    expect(await counts()).toMatchObject(delivered);
    plugin.socket.terminate();
    expect(await sidecar.process.stop()).toBe(0);
    await sidecar.process.start();
    const again = await sidecar.connect();
    // OpenClaw can hand a message in twice.
    await handIn(again, "a1");
    await handIn(again, "a2");
    await sends("to-a1", "to-a2");
    expect(await counts()).toMatchObject({ messages: { accepted: 2, delivered: 2 } });
    expect(hotbags.accepted.map(({ message_id }) => message_id)).toEqual(["a1", "a2"]);
    again.socket.terminate();
    expect((await sidecar.wholeLog()).filter(({ level }) => level === "error")).toEqual([]);
  });

  it("is killed while Hot Bags is away: another one beside the same gateway goes on where it was", async (test) => {
    const url = await database(test);
    const first = await start(url, "first");
    const plugin = await first.connect();
    await hotbags.stop();
    await handIn(plugin, "a1");
    const second = await start(url, "second");
    first.process.kill();
    plugin.socket.terminate();
    await hotbags.start();
    await sends("to-a1");
    await second.owns(PATIENCE_MS);
    const other = await second.connect();
    await handIn(other, "a2");
    await sends("to-a1", "to-a2");
    await isWell(second);
    other.socket.terminate();
  });

  it("is killed with its machine: another one sends its customer's photo along, and the text behind it", async (test) => {
    const url = await database(test);
    const first = await start(url, "first");
    const plugin = await first.connect();
    await hotbags.stop();
    const photo = randomBytes(1_500_000);
    const item = { type: "image" as const, mime_type: "image/jpeg", file_name: null, size_bytes: photo.length };
    const media = [{ ...item, sha256: await first.upload(photo) }];
    await until("it is taken in", async () => {
      const answer = await plugin.handIn(messageOf("a1", ANNA, { media }));
      return answer.type === "ack";
    });
    await handIn(plugin, "a2");
    await using other = await anotherGateway([{ ...CONNECTED, accountId: "outlet" }]);
    const second = await start(url, "second", other.gateway);
    first.process.kill();
    plugin.socket.terminate();
    await hotbags.start();
    await until("both are at Hot Bags", () => hotbags.accepted.length === 2, PATIENCE_MS);
    const sentAlong = hotbags.accepted.map(({ media: [one] }) => one && "data_base64" in one && one.data_base64);
    expect(sentAlong).toEqual([photo.toString("base64"), undefined]);
    expect((await second.wholeLog()).filter(({ level }) => level === "error")).toEqual([]);
  });

  it("ends by itself where a newer release takes away what it needs, with what to do, and is not to be started again", async (test) => {
    const url = await running(test, databases).make();
    const sidecar = await start(url, "first");
    const plugin = await sidecar.connect();
    await handIn(plugin, "a1");
    await sends("to-a1");
    const ended = sidecar.process.ended();
    const connection = new Connection({ url, connections: 1 });
    const away = { sql: "DROP TABLE alerts", oldest: migrations.length + 1 };
    expect(await migrate(connection, [...migrations, away])).toBe(migrations.length + 1);
    // EX_CONFIG, which the unit's RestartPreventExitStatus= names.
    expect(await ended).toBe(78);
    const left = await connection.rows("SELECT 1 FROM leases WHERE owner IS NOT NULL");
    await connection.close();
    // It has given back what it had.
    expect(left).toEqual([]);
    plugin.socket.terminate();
    await expect(sidecar.process.start()).rejects.toThrow(/code 78.*newer release.*install that one/s);
  });

  it("waits for a server that is not there yet, and says so", async (test) => {
    const dir = mkdtempSync(join(tmpdir(), "hotbags-later-"));
    test.onTestFinished(() => rmSync(dir, { recursive: true }));
    const link = join(dir, "link");
    const sidecar = await prepare(through(link, await database(test)), "first");
    const started = sidecar.process.start();
    const line = await sidecar.process.logs(({ msg }) => msg?.startsWith("not started yet: ") === true, PATIENCE_MS);
    expect(line).toMatchObject({
      level: "error",
      alarm: true,
      msg: expect.stringMatching(
        /the server's socket is not there: start the server, or correct the address\. It is tried/,
      ),
    });
    symlinkSync(running(test, databases).host, link);
    await started;
    const plugin = await sidecar.connect();
    await handIn(plugin, "a1");
    await sends("to-a1");
    plugin.socket.terminate();
  });

  it("says that two gateways have one account, and no more when one of them has it switched off", async (test) => {
    const url = await database(test);
    const first = await start(url, "first");
    await first.owns(PATIENCE_MS);
    await using other = await anotherGateway([CONNECTED]);
    const second = await start(url, "second", other.gateway);
    const problem = /two gateways have the WhatsApp account default: that of the sidecar first.*that of second/;
    const says = async (sidecar: BuiltSidecar) =>
      (await sidecar.health()).body.problems.some((one) => problem.test(one));
    for (const sidecar of [first, second]) await until("it says so", () => says(sidecar), PATIENCE_MS);
    const isTold = ({ lines }: BuiltSidecar) => lines.some(({ alert }) => alert === "two_gateways");
    await until("the operator is told by the one that owns it", () => isTold(first), PATIENCE_MS);
    expect(isTold(second)).toBe(false);
    other.gateway.accounts = [{ ...CONNECTED, enabled: false }];
    for (const sidecar of [first, second])
      await until("it says so no more", async () => !(await says(sidecar)), PATIENCE_MS);
  });

  it("finds within a renewal what the one that leads has read for its account in the outbox", async (test) => {
    const url = await database(test);
    const env = { BRIDGE_OUTBOUND: "any", HOTBAGS_OUTBOX_SECONDS: "1" };
    // It leads, and its gateway has another account.
    await using other = await anotherGateway([{ ...CONNECTED, accountId: "outlet" }]);
    const leader = await start(url, "leader", other.gateway, env);
    const second = await start(url, "second", gateway, env);
    await second.owns(PATIENCE_MS);
    hotbags.outbox.put(toAnna("o1"));
    await sends("o1");
    expect(other.gateway.sends).toEqual([]);
    const isTaken = ({ msg }: LogLine) => msg === "taken from the outbox of Hot Bags";
    await leader.process.logged(isTaken);
    // Whoever comes next goes on where it was.
    await leader.process.stop();
    hotbags.outbox.put(toAnna("o2"));
    await sends("o1", "o2");
    expect((await second.wholeLog()).filter(isTaken)).toHaveLength(1);
  });

  it("finds what an operator has said of its account at another sidecar", async (test) => {
    const url = await database(test);
    const first = await start(url, "first");
    const plugin = await first.connect();
    gateway.send = () => "hang up";
    gateway.history = () => [];
    await handIn(plugin, "a1");
    await until("it was sent, and nobody knows", () => gateway.sends.length > 0, PATIENCE_MS);
    // That one has no memory of it.
    gateway.send = ({ idempotencyKey }) => ({
      ok: true,
      payload: { runId: "r", messageId: `WA-${idempotencyKey}`, channel: "whatsapp" },
    });
    await gateway.restartAs("boot-2");
    const inDoubt = async () => (await first.health<{ commands: { in_doubt: number } }>()).body.commands.in_doubt;
    await until("it is in doubt", async () => (await inDoubt()) === 1, PATIENCE_MS);
    const tries = gateway.sends.length;
    await using other = await anotherGateway([{ ...CONNECTED, accountId: "outlet" }]);
    const second = await start(url, "second", other.gateway);
    expect(await runHotbags(second.dir, "commands", "resolve", "--all", "--resend", "--yes")).toMatchObject({
      code: 0,
    });
    await until("it is sent again", () => gateway.sends.length === tries + 1, PATIENCE_MS);
    await until("it is in doubt no more", async () => (await inDoubt()) === 0, PATIENCE_MS);
    expect(other.gateway.sends).toEqual([]);
    plugin.socket.terminate();
  });

  it("lets no other one use its folder", async (test) => {
    const url = await database(test);
    const first = await start(url, "first");
    const second = await prepare(url, "second");
    second.process.configure({ BRIDGE_STATE_DIR: first.dir });
    const started = second.process.start();
    await second.process.logs(({ msg }) => msg?.includes("in use by another sidecar") === true, PATIENCE_MS);
    expect(await first.process.stop()).toBe(0);
    await started;
  });
});
