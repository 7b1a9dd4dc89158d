import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { migrations } from "../../sidecar/src/store/postgres/migrations/index.ts";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { CLI } from "../shop/hotbags-command.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import type { ScriptedPlugin } from "../sidecar/scripted-plugin.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases } from "./databases.ts";
import { newerRelease } from "./releases.ts";

// A fleet that is upgraded one machine after the other, with built sidecars on one database: the newer one is this release with
// a migration more. The older one is this release, or the built command of another one: HOTBAGS_OLDER_RELEASE=…/sidecar/dist/cli.js.

const OLDER = process.env["HOTBAGS_OLDER_RELEASE"] ?? CLI;
const RELEASE = migrations.length;
const ADDS = "ALTER TABLE messages ADD COLUMN made_up text NOT NULL DEFAULT ''; CREATE TABLE made_up (id integer)";
const TAKES_AWAY = { sql: "DROP TABLE made_up", oldest: RELEASE + 1 };
const EX_CONFIG = 78;
const PATIENCE_MS = 120_000;

let databases: Databases | string;
let hotbags: HotBags;
const branches: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});
beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id: id }) => [{ command_id: `to-${id}`, type: "send_text", text: "hello" }]);
});
afterEach(async () => {
  await Promise.all(branches.splice(0).map((branch) => branch.close()));
  await hotbags.close();
});

/** A machine of the fleet with this release: its account and its gateway, and its sidecar. */
async function openBranch(url: string, account: string, cli: string) {
  const gateway = new ScriptedGateway();
  gateway.accounts = [{ ...CONNECTED, accountId: account }];
  await gateway.start();
  const env = { BRIDGE_STORE: url, BRIDGE_INSTANCE: account };
  const sidecar = await BuiltSidecar.prepare({ hotbags, gateway, env, cli });
  let plugin: ScriptedPlugin | undefined;
  const sent = () => gateway.sends.map(({ idempotencyKey }) => idempotencyKey);
  const branch = {
    ...{ sidecar, process: sidecar.process, sent },
    /** As the plugin does: again, until it is acknowledged. */
    async takesIn(id: string, chat: string): Promise<void> {
      const isOpen = plugin?.socket.readyState === WebSocket.OPEN;
      const link = isOpen && plugin ? plugin : await sidecar.connect();
      plugin = link;
      const handIn = async () => (await link.handIn(messageOf(id, chat, { account_id: account }))).type === "ack";
      await until(`${id} is acknowledged`, handIn, PATIENCE_MS);
    },
    /** Its replies so far, each once and in this order. */
    sends: (...ids: string[]) => until(`${ids} are sent`, () => sent().join() === ids.join(), PATIENCE_MS),
    isWell: () => until(`${account} is well`, async () => (await sidecar.health()).body.ok, PATIENCE_MS),
    errors: () => sidecar.lines.filter(({ level }) => level === "error").map(({ msg }) => msg),
    async close() {
      plugin?.socket.terminate();
      await sidecar.close();
      await gateway.stop();
    },
  };
  branches.push(branch);
  return branch;
}

async function begin(test: Pick<TestContext, "skip">) {
  // The older one makes its tables itself.
  const url = await running(test, databases).make("empty");
  return {
    branch: (account: string, cli: string) => openBranch(url, account, cli),
    async version() {
      const connection = new Connection({ url, connections: 1 });
      const [row] = await connection.rows<object>("SELECT version, oldest FROM schema_version");
      await connection.close();
      return row;
    },
  };
}

describe("a machine of a fleet that is upgraded before the other one", { timeout: 300_000 }, () => {
  it("to a release that only adds: the other one goes on, also when it starts anew, and then with that release", async (test) => {
    const fleet = await begin(test);
    using newer = newerRelease(ADDS);
    const [one, two] = [await fleet.branch("one", OLDER), await fleet.branch("two", OLDER)];
    await one.process.start();
    await two.process.start();
    await one.takesIn("a1", ANNA);
    await two.takesIn("b1", BEN);
    await Promise.all([one.sends("to-a1"), two.sends("to-b1")]);
    await two.process.stop();
    two.process.install(newer.cli);
    await two.process.start();
    expect(await fleet.version()).toEqual({ version: RELEASE + 1, oldest: 1 });
    await one.takesIn("a2", ANNA);
    await two.takesIn("b2", BEN);
    await Promise.all([one.sends("to-a1", "to-a2"), two.sends("to-b1", "to-b2")]);
    await one.process.restart();
    await one.takesIn("a3", ANNA);
    await one.sends("to-a1", "to-a2", "to-a3");
    await Promise.all([one.isWell(), two.isWell()]);
    await one.process.stop();
    one.process.install(newer.cli);
    await one.process.start();
    await one.takesIn("a4", ANNA);
    await one.sends("to-a1", "to-a2", "to-a3", "to-a4");
    expect([one.errors(), two.errors()]).toEqual([[], []]);
    expect(hotbags.accepted.map(({ message_id }) => message_id).sort()).toEqual(["a1", "a2", "a3", "a4", "b1", "b2"]);
  });

  it("to one that takes away what it needs: it ends by itself and says what to install; with that it goes on where it was", async (test) => {
    const fleet = await begin(test);
    using newer = newerRelease(ADDS, TAKES_AWAY);
    const [one, two] = [await fleet.branch("one", OLDER), await fleet.branch("two", newer.cli)];
    await one.process.start();
    await one.takesIn("a1", ANNA);
    await one.sends("to-a1");
    // A message waits for Hot Bags.
    const mended = hotbags.faultFor(() => true, { status: 503 }, Number.POSITIVE_INFINITY);
    await one.takesIn("a2", ANNA);
    await two.process.start();
    expect(await fleet.version()).toEqual({ version: RELEASE + 2, oldest: RELEASE + 1 });
    expect(await one.process.ended()).toBe(EX_CONFIG);
    const refused = /code 78 at start: .*newer release \(schema \d+, this one has \d+\).*install that one/;
    await expect(one.process.start()).rejects.toThrow(refused);
    mended();
    await two.takesIn("b1", BEN);
    await two.sends("to-b1");
    one.process.install(newer.cli);
    await one.process.start();
    await one.takesIn("a3", ANNA);
    await one.sends("to-a1", "to-a2", "to-a3");
    await Promise.all([one.isWell(), two.isWell()]);
    expect(two.sent()).toEqual(["to-b1"]);
    expect(hotbags.violations).toEqual([]);
  });
});
