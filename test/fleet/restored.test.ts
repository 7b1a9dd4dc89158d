import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { REPORTS_PATH } from "../../shared/src/report.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { runHotbagsWith } from "../shop/hotbags-command.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import type { ScriptedPlugin } from "../sidecar/scripted-plugin.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// A database that is put back to an earlier time, by pg_dump and pg_restore, with the built sidecar and the built command. The
// same on the embedded store: test/sidecar/backup.test.ts.

const PATIENCE_MS = 120_000;
const EX_CONFIG = 78;
const CARL = "+15550001003";

let databases: Databases | string;
let hotbags: HotBags;
let gateway: ScriptedGateway;
const sidecars: BuiltSidecar[] = [];
const plugins: ScriptedPlugin[] = [];

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});
beforeEach(async () => {
  gateway = await new ScriptedGateway().start();
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id: id }) => [{ command_id: `to-${id}`, type: "send_text", text: "hello" }]);
});
afterEach(async () => {
  for (const { socket } of plugins.splice(0)) socket.terminate();
  await Promise.all(sidecars.splice(0).map((sidecar) => sidecar.close()));
  await hotbags.close();
  await gateway.stop();
});

async function begin(test: Pick<TestContext, "skip">) {
  const all = running(test, databases);
  const url = await all.make();
  const env = { BRIDGE_STORE: url, BRIDGE_INSTANCE: "shop", BRIDGE_OUTBOUND: "any", HOTBAGS_OUTBOX_SECONDS: "1" };
  const sidecar = await BuiltSidecar.start({
    ...{ hotbags, gateway, env: { ...env, HOTBAGS_REPORTS_PATH: REPORTS_PATH } },
  });
  sidecars.push(sidecar);
  const name = new URL(url.replace(/@[^/]*/, "@x")).pathname.slice(1);
  const { server, postgres } = all;
  const run = (...args: string[]) => runHotbagsWith(sidecar.env, ...args);
  return {
    ...{ sidecar, run },
    /** As of now, whoever works on it. */
    dump: () => postgres.run("pg_dump", "--format=custom", `--file=${name}.dump`, url),
    /** As it was at the dump. Whoever is connected is thrown out. */
    async restore() {
      await server.rows(`DROP DATABASE ${name} WITH (FORCE)`);
      await server.rows(`CREATE DATABASE ${name}`);
      await postgres.run("pg_restore", `--dbname=${url}`, `${name}.dump`);
    },
    /** Leases that were in the dump last as long as they did. */
    async saysRestored(...args: string[]) {
      let ran = await run("restored", "--yes", "--json", ...args);
      await until(
        "no lease of the dump lasts",
        async () => {
          if (/sidecars run on/.test(ran.stderr)) ran = await run("restored", "--yes", "--json", ...args);
          return !/sidecars run on/.test(ran.stderr);
        },
        PATIENCE_MS,
      );
      return ran;
    },
    async repliesIn(state: string) {
      const { stdout } = await run("commands", "list", "--state", state, "--json");
      return (JSON.parse(stdout) as { command_id: string }[]).map(({ command_id }) => command_id).sort();
    },
    async connect() {
      const plugin = await sidecar.connect();
      plugins.push(plugin);
      return plugin;
    },
  };
}

/** As the plugin does: again, until it is acknowledged. */
const handIn = (plugin: ScriptedPlugin, ...of: Parameters<typeof messageOf>) =>
  until(`${of[0]} is acknowledged`, async () => (await plugin.handIn(messageOf(...of))).type === "ack", PATIENCE_MS);

const sent = () => gateway.sends.map(({ idempotencyKey }) => idempotencyKey);
const isSent = (id: string) => until(`${id} is sent`, () => sent().includes(id), PATIENCE_MS);

describe("a database that is put back to an earlier time", { timeout: 300_000 }, () => {
  it("sends nothing again by itself: the sidecar refuses it, and after `hotbags restored` says what is in doubt", async (test) => {
    const it = await begin(test);
    const plugin = await it.connect();
    await handIn(plugin, "a1", ANNA);
    await isSent("to-a1");
    await until("it is settled", async () => (await it.repliesIn("sent")).includes("to-a1"), PATIENCE_MS);
    // At the dump one reply is being sent, one waits behind it, and a message waits for Hot Bags.
    const held = Promise.withResolvers<void>();
    gateway.send = async ({ idempotencyKey: key }) => {
      if (key === "to-b1") await held.promise;
      return { ok: true, payload: { messageId: `WA-${key}` } };
    };
    await handIn(plugin, "b1", BEN);
    await handIn(plugin, "b2", BEN);
    await isSent("to-b1");
    await hotbags.receives("b2");
    const mended = hotbags.faultFor(({ message_id }) => message_id === "c1", { status: 503 }, Number.POSITIVE_INFINITY);
    await handIn(plugin, "c1", CARL);
    await until("c1 was tried", () => hotbags.requests.some(({ key }) => key === "c1"), PATIENCE_MS);
    await until("b2 is answered", async () => (await it.repliesIn("pending")).includes("to-b2"), PATIENCE_MS);
    await it.dump();

    // What the database will not remember: they are sent, and so are a new message's reply and one of the outbox.
    held.resolve();
    mended();
    await handIn(plugin, "d1", ANNA);
    const toAnna = { type: "send_text", text: "hello", to: ANNA, transport_session_id: "whatsapp:default" };
    hotbags.outbox.put({ command_id: "o1", ...toAnna });
    const all = ["to-a1", "to-b1", "to-b2", "to-c1", "to-d1", "o1"];
    for (const id of all) await isSent(id);
    const areSettled = async () => {
      const settled = await it.repliesIn("sent");
      return all.every((id) => settled.includes(id));
    };
    await until("they are settled", areSettled, PATIENCE_MS);
    expect(await it.run("restored", "--yes")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/sidecars run on.*shop/),
    });
    await it.sidecar.process.stop();
    await it.restore();

    await expect(it.sidecar.process.start()).rejects.toThrow(
      /code 78 at start: .*the database is as it was at .*hotbags restored/,
    );
    expect(await it.run("doctor")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/it was restored.*hotbags restored/s),
    });
    expect(sent().toSorted()).toEqual(all.toSorted());
    expect(await it.run("restored")).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    const ran = await it.saysRestored();
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("hotbags commands list --state in_doubt") });
    expect(JSON.parse(ran.stdout)).toMatchObject({ in_doubt: 2, maybe_answered: 1 });

    // The gateway is another process by now. In its transcript it has one of them.
    await gateway.restartAs("boot-2");
    gateway.history = (session) => (session.includes(BEN) ? ["to-b1"] : []);
    await it.sidecar.process.start();
    const again = await it.connect();
    // WhatsApp delivers it once more; and a new one comes.
    await handIn(again, "d1", ANNA);
    await handIn(again, "d2", ANNA, { timestamp: new Date().toISOString() });
    await isSent("to-d2");
    const doubts = ["o1", "to-b2", "to-c1", "to-d1"];
    await until(
      "each is in doubt but for the one that the gateway has",
      async () => (await it.repliesIn("in_doubt")).join() === doubts.join(),
      PATIENCE_MS,
    );
    expect(await it.repliesIn("sent")).toEqual(["to-a1", "to-b1", "to-d2"]);
    expect(sent().toSorted()).toEqual([...all, "to-d2"].toSorted());
    expect(hotbags.requests.filter(({ key }) => key === "d1")).toHaveLength(2);
    // Hot Bags is told, and the ledger adds up.
    const isTold = (id: string, state: string) =>
      hotbags.reports.taken.some((report) => report.command_id === id && report.state === state);
    await until("it is told", () => doubts.every((id) => isTold(id, "in_doubt")) && isTold("to-b1", "resolved"));
    expect((await it.sidecar.health()).body.problems.join()).not.toContain("ledger");
    expect(hotbags.violations).toEqual([]);
    const audit = JSON.parse((await it.run("audit", "--json")).stdout);
    expect(audit).toContainEqual(
      expect.objectContaining({ action: "restore a backup", result: expect.stringMatching(/^2 replies in doubt, 1 /) }),
    );
    // The operator has looked at the phone. A restart finds all as it was left.
    expect(await it.run("commands", "resolve", "--all", "--sent", "--yes")).toMatchObject({ code: 0 });
    await it.sidecar.process.restart();
    expect(await it.repliesIn("in_doubt")).toEqual([]);
    expect(sent()).toHaveLength(all.length + 1);
  });

  it("under a sidecar that runs: it takes nothing in, sends nothing more and ends", async (test) => {
    const it = await begin(test);
    const plugin = await it.connect();
    await gateway.stop();
    await handIn(plugin, "a1", ANNA);
    await until("it is answered", async () => (await it.repliesIn("pending")).includes("to-a1"), PATIENCE_MS);
    await it.sidecar.process.stop();
    await it.dump();
    await it.sidecar.process.start();
    await gateway.start();
    await isSent("to-a1");
    await until("it is settled", async () => (await it.repliesIn("sent")).includes("to-a1"), PATIENCE_MS);
    await it.restore();
    expect(await it.sidecar.process.ended()).toBe(EX_CONFIG);
    expect(sent()).toEqual(["to-a1"]);
    expect(await it.saysRestored("--lost-until", "7d")).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining("nothing of before is lost") },
    });
    expect(await it.repliesIn("pending")).toEqual(["to-a1"]);
    expect(await it.saysRestored("--lost-until", "0m")).toMatchObject({ code: 0 });
    await it.sidecar.process.start();
    await until("all is known", async () => (await it.repliesIn("in_doubt")).length === 1, PATIENCE_MS);
    const next = await it.connect();
    await handIn(next, "b1", BEN, { timestamp: new Date().toISOString() });
    await isSent("to-b1");
    expect(sent()).toEqual(["to-a1", "to-b1"]);
  });

  it("is nothing where there is no database, or none that was ever used", async (test) => {
    const url = await running(test, databases).make("empty");
    expect(await runHotbagsWith({ BRIDGE_STORE: url }, "restored", "--yes")).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining("there is no store in") },
    });
    expect(await runHotbagsWith({}, "restored", "--yes")).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining("BRIDGE_STORE is not set") },
    });
  });
});
