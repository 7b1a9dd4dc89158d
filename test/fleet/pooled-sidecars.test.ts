import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import type { ScriptedPlugin } from "../sidecar/scripted-plugin.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases, through } from "./databases.ts";
import { type Pooler, startPooler } from "./pooler.ts";

// The built sidecars behind a pooler in transaction mode, as Supabase has one: pgbouncer, with so few connections to the server
// that those of one sidecar alone are more.

const CONNECTIONS = 2;
const PATIENCE_MS = 120_000;
/** Within this time another sidecar has the account, ms. */
const TAKE_OVER_MS = 30_000;

let databases: Databases | string;
let pooler: Pooler | string;
let hotbags: HotBags;
let gateway: ScriptedGateway;
const sidecars: BuiltSidecar[] = [];

beforeAll(async () => {
  databases = await startDatabases();
  pooler = typeof databases === "string" ? databases : await startPooler(databases.host, CONNECTIONS);
}, 120_000);
afterAll(async () => {
  for (const each of [pooler, databases]) if (typeof each !== "string") await each?.[Symbol.asyncDispose]();
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

/** A database, its address through the pooler, and a way past it for the test. */
async function pooled(test: Pick<TestContext, "skip">) {
  // Debian's pgbouncer or PostgreSQL is not installed here: the skip says which. CI has both.
  const its = typeof pooler === "string" ? test.skip(pooler) : pooler;
  const direct = await running(test, databases).make();
  const connection = new Connection({ url: direct, connections: 1 });
  return {
    pooler: its,
    direct,
    url: through(its.host, direct),
    rows: <R extends object>(statement: string, ...values: unknown[]) => connection.rows<R>(statement, ...values),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

async function start(url: string, name: string): Promise<BuiltSidecar> {
  const env = { BRIDGE_STORE: url, BRIDGE_INSTANCE: name };
  const sidecar = await BuiltSidecar.prepare({ hotbags, gateway, env });
  sidecars.push(sidecar);
  await sidecar.process.start();
  return sidecar;
}

/** As the plugin does: again, until it is acknowledged. */
async function handIn(plugin: ScriptedPlugin, id: string, chat: string): Promise<void> {
  const isAcknowledged = async () => (await plugin.handIn(messageOf(id, chat))).type === "ack";
  await until(`${id} is acknowledged`, isAcknowledged, PATIENCE_MS);
}

/** Replies of a chat that the gateway was asked to send, and messages of it that Hot Bags has: in order. */
const sentTo = (chat: string) => gateway.sends.filter(({ to }) => to === chat).map((sent) => sent.idempotencyKey);
const acceptedOf = (chat: string) =>
  hotbags.accepted.filter(({ chat_id }) => chat_id === chat).map(({ message_id }) => message_id);
const sends = (count: number) => until(`${count} replies are sent`, () => gateway.sends.length >= count, PATIENCE_MS);
const posted = (id: string) =>
  until(`${id} is POSTed`, () => hotbags.requests.some(({ key }) => key === id), PATIENCE_MS);

/** Each of these once at Hot Bags, and once on the phone, in this order. */
function expectOnce(chat: string, ...ids: string[]): void {
  expect([acceptedOf(chat), sentTo(chat)]).toEqual([ids, ids.map((id) => `to-${id}`)]);
}

/** Hot Bags answers for this message when the test says so. */
function holdAnswer(id: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  hotbags.answers(async ({ message_id }) => {
    if (message_id === id) await promise;
    return [{ command_id: `to-${message_id}`, type: "send_text", text: "hello" }];
  });
  return resolve;
}

describe("sidecars behind a pooler with two connections", { timeout: 300_000 }, () => {
  it("take messages in and send the replies; one is killed amid that, and the other goes on where it was", async (test) => {
    await using it = await pooled(test);
    const first = await start(it.url, "first");
    const second = await start(it.url, "second");
    const plugin = await first.connect();
    const chats = [ANNA, BEN];
    await Promise.all(chats.map(async (chat, n) => await handIn(await first.connect(), `${n}-1`, chat)));
    await sends(2);
    const answer = holdAnswer("0-2");
    await handIn(plugin, "0-2", ANNA);
    await posted("0-2");
    await handIn(plugin, "0-3", ANNA);
    await first.process.kill();
    plugin.socket.terminate();
    await second.owns(TAKE_OVER_MS);
    answer();
    const other = await second.connect();
    await handIn(other, "1-2", BEN);
    await sends(5);
    await until(
      "all is written down",
      async () => (await it.rows("SELECT 1 FROM commands WHERE state = 'sent'")).length === 5,
      PATIENCE_MS,
    );
    expectOnce(ANNA, "0-1", "0-2", "0-3");
    expectOnce(BEN, "1-1", "1-2");
    other.socket.terminate();
  });

  it("wait where the pooler is killed amid traffic: nothing is acknowledged or sent meanwhile, and nothing is lost or twice", async (test) => {
    await using it = await pooled(test);
    const sidecar = await start(it.url, "first");
    const plugin = await sidecar.connect();
    const sent = Promise.withResolvers<void>();
    gateway.send = async ({ idempotencyKey }) => {
      if (idempotencyKey === "to-a1") await sent.promise;
      return { ok: true, payload: { runId: "r", messageId: `WA-${idempotencyKey}`, channel: "whatsapp" } };
    };
    const answer = holdAnswer("b1");
    await handIn(plugin, "a1", ANNA);
    await sends(1);
    await handIn(plugin, "b1", BEN);
    await posted("b1");
    await it.pooler.crash();
    const refused = async (id: string, chat: string) => (await plugin.handIn(messageOf(id, chat))).type;
    expect([await refused("a2", ANNA), await refused("b2", BEN)]).not.toContain("ack");
    sent.resolve();
    answer();
    await until("Hot Bags has answered", () => acceptedOf(BEN).length > 0, PATIENCE_MS);
    const problem = /the database can't be written since .*start the server/;
    await until(
      "it says so",
      async () => (await sidecar.health()).body.problems.some((one) => problem.test(one)),
      PATIENCE_MS,
    );
    expect(gateway.sends.length).toBe(1);
    await it.pooler.start();
    await handIn(plugin, "a2", ANNA);
    await handIn(plugin, "b2", BEN);
    await sends(4);
    await until(
      "all is written down",
      async () => (await it.rows("SELECT 1 FROM commands WHERE state = 'sent'")).length === 4,
      PATIENCE_MS,
    );
    expectOnce(ANNA, "a1", "a2");
    expectOnce(BEN, "b1", "b2");
    plugin.socket.terminate();
  });

  it.for(["written", "taken back"])(
    "acknowledge a message whose commit was under way as the pooler was killed only when it is there: it was %s",
    async (fate, test) => {
      await using it = await pooled(test);
      await it.rows(HOLD_COMMITS);
      const sidecar = await start(it.url, "first");
      await sidecar.owns(PATIENCE_MS);
      const plugin = await sidecar.connect();
      const commits = await holdCommits(it.direct);
      let isAcknowledged = false;
      const handed = handIn(plugin, "a1", ANNA).then(() => {
        isAcknowledged = true;
      });
      const pid = await until("the commit is under way", () => waiting(it.rows), PATIENCE_MS);
      await it.pooler.crash();
      await until("the outage is known", async () => !(await sidecar.health()).body.ok, PATIENCE_MS);
      await it.pooler.start();
      expect([isAcknowledged, await messages(it.rows)]).toEqual([false, 0]);
      if (fate === "taken back") await it.rows("SELECT pg_terminate_backend($1)", pid);
      await commits.release();
      await handed;
      expect(await messages(it.rows)).toBe(1);
      await sends(1);
      expectOnce(ANNA, "a1");
      plugin.socket.terminate();
    },
  );
});

type Rows = <R extends object>(statement: string, ...values: unknown[]) => Promise<R[]>;

const messages = async (rows: Rows) => (await rows("SELECT 1 FROM messages")).length;

/** The server's process of a commit that is held, if there is one. */
async function waiting(rows: Rows): Promise<number | undefined> {
  const [row] = await rows<{ pid: number }>(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
  );
  return row?.pid;
}

/** A message's commit waits for a lock, however long. */
const HOLD_COMMITS = `
  CREATE FUNCTION is_patient() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM set_config(''statement_timeout'', ''0'', true), set_config(''lock_timeout'', ''0'', true); RETURN NULL; END';
  CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END';
  CREATE TRIGGER is_patient AFTER INSERT ON messages EXECUTE FUNCTION is_patient();
  CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION waits()`;

/** From now on, until they are released. */
async function holdCommits(url: string) {
  const holder = new Connection({ url, connections: 1, idleMs: 0 });
  const [held, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const done = holder.transaction(async (tx) => {
    await tx.rows("SELECT pg_advisory_xact_lock(7)");
    held.resolve();
    await released.promise;
  });
  await held.promise;
  return {
    async release() {
      released.resolve();
      await done;
      await holder.close();
    },
  };
}
