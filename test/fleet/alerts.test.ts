import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { askOperator } from "../shop/operator-api.ts";
import { type AlertHook, startAlertHook } from "../sidecar/alert-hook.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import { scrape } from "../sidecar/scrape.ts";
import type { ScriptedPlugin } from "../sidecar/scripted-plugin.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// What the operator is told by two sidecars, as they are built, on one PostgreSQL: once by all, whichever of them dies. And what
// each of them shows of itself and of its accounts.

const PATIENCE_MS = 120_000;
const NAMES = ["first", "second"];
const LOGGED_OUT = { ...CONNECTED, running: false, connected: false, healthState: "logged-out" };
const QUICK_LOOKS = fileURLToPath(new URL("../sidecar/quick-looks.mjs", import.meta.url));

let databases: Databases | string;
let hotbags: HotBags;
let hook: AlertHook;
const gateways: ScriptedGateway[] = [];
const sidecars: BuiltSidecar[] = [];
const plugins: ScriptedPlugin[] = [];

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});
beforeEach(async () => {
  hook = await startAlertHook();
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [{ command_id: `to-${message_id}`, type: "send_text", text: "hello" }]);
});
afterEach(async () => {
  for (const { socket } of plugins.splice(0)) socket.terminate();
  await Promise.all(sidecars.splice(0).map((sidecar) => sidecar.close()));
  await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
  await hotbags.close();
  hook.close();
});

async function database(test: Pick<TestContext, "skip">): Promise<string> {
  return await running(test, databases).make();
}

async function gatewayOf(account: string): Promise<ScriptedGateway> {
  const gateway = await new ScriptedGateway().start();
  gateway.accounts = [{ ...CONNECTED, accountId: account }];
  gateways.push(gateway);
  return gateway;
}

/** A sidecar that looks many times a second, and tells at once, beside this gateway. */
async function start(url: string, name: string, gateway: ScriptedGateway, more = {}): Promise<BuiltSidecar> {
  const env = {
    ...{
      BRIDGE_STORE: url,
      BRIDGE_INSTANCE: name,
      ALERT_WEBHOOK_URL: hook.url,
      NODE_OPTIONS: `--import=${QUICK_LOOKS}`,
    },
    ...{ ALERT_DOWN_MINUTES: "0", ALERT_CALM_SECONDS: "0", ...more },
  };
  const sidecar = await BuiltSidecar.start({ hotbags, gateway, env });
  sidecars.push(sidecar);
  return sidecar;
}

async function connect(sidecar: BuiltSidecar): Promise<ScriptedPlugin> {
  const plugin = await sidecar.connect();
  plugins.push(plugin);
  return plugin;
}

/** As the plugin does: again, until it is acknowledged. */
async function handIn(plugin: ScriptedPlugin, id: string, account: string, chat = ANNA): Promise<void> {
  const message = messageOf(id, chat, { account_id: account });
  await until(`${id} is acknowledged`, async () => (await plugin.handIn(message)).type === "ack", PATIENCE_MS);
}

const toldOf = (kind: string) => hook.alerts.filter(({ alert }) => alert === kind);
const tells = (kind: string, ...states: string[]) =>
  until(
    `${kind} is ${states}`,
    () =>
      toldOf(kind)
        .map(({ state }) => state)
        .join() === states.join(),
    PATIENCE_MS,
  );
const opened = async (sidecar: BuiltSidecar) =>
  (await sidecar.health<{ alerts: { alert: string }[] }>()).body.alerts.map(({ alert }) => alert);
const has = (sidecar: BuiltSidecar, kind: string) =>
  until(`it goes on with ${kind}`, async () => (await opened(sidecar)).includes(kind), PATIENCE_MS);

describe("two sidecars tell", { timeout: 300_000 }, () => {
  it("once of an account, and whoever takes it over tells its end", async (test) => {
    const url = await database(test);
    const gateway = await gatewayOf("shop");
    gateway.accounts = [{ ...LOGGED_OUT, accountId: "shop" }];
    const first = await start(url, "first", gateway);
    await tells("logged_out", "started");
    expect(toldOf("logged_out")).toMatchObject([{ account: "shop", title: "WhatsApp is logged out (shop)" }]);
    expect(toldOf("logged_out")[0]).not.toHaveProperty("instance");
    const second = await start(url, "second", gateway);
    expect(await opened(second)).not.toContain("logged_out");
    first.process.kill();
    await has(second, "logged_out");
    gateway.accounts = [{ ...CONNECTED, accountId: "shop" }];
    await tells("logged_out", "started", "over");
    expect(new Set(toldOf("logged_out").map(({ id }) => id)).size).toBe(1);
  });

  it("of an account that can be nobody's, for its name is none: the sidecar beside its gateway, and its end", async (test) => {
    const gateway = await gatewayOf("shop");
    const named = { accountId: "a name: none" };
    gateway.accounts = [{ ...LOGGED_OUT, ...named }];
    await start(await database(test), "first", gateway);
    await tells("logged_out", "started");
    expect(toldOf("logged_out")).toMatchObject([{ instance: "first" }]);
    gateway.accounts = [{ ...CONNECTED, ...named }];
    await tells("logged_out", "started", "over");
  });

  it("what could not be delivered when its sidecar was killed, of an account and of all", async (test) => {
    const url = await database(test);
    const gateway = await gatewayOf("shop");
    gateway.accounts = [{ ...LOGGED_OUT, accountId: "shop" }];
    hook.status = 503;
    const first = await start(url, "first", gateway);
    hotbags.faultFor(() => true, { status: 401 }, Number.POSITIVE_INFINITY);
    const plugin = await connect(first);
    await handIn(plugin, "s1", "shop");
    await handIn(plugin, "s2", "shop", BEN);
    const connection = new Connection({ url, connections: 1 });
    const waits = async (kind: string) =>
      (await connection.rows("SELECT 1 FROM notices WHERE notice LIKE $1", `%"${kind}"%`)).length > 0;
    await until(
      "both are written down",
      async () => (await waits("hot_bags")) && (await waits("logged_out")),
      PATIENCE_MS,
    );
    await connection.close();
    const second = await start(url, "second", await gatewayOf("outlet"));
    await first.process.kill();
    hook.alerts.length = 0;
    hook.status = 200;
    await tells("logged_out", "started");
    await tells("hot_bags", "started");
    expect((await second.wholeLog()).filter(({ alert_state }) => alert_state === "over")).toEqual([]);
  });

  it("once of an account whose owner is stopped and woken: it has nothing more to say of it", async (test) => {
    const url = await database(test);
    const gateway = await gatewayOf("shop");
    gateway.accounts = [{ ...LOGGED_OUT, accountId: "shop" }];
    const first = await start(url, "first", gateway);
    await tells("logged_out", "started");
    const second = await start(url, "second", gateway);
    process.kill(first.process.pid ?? 0, "SIGSTOP");
    await has(second, "logged_out");
    gateway.accounts = [{ ...CONNECTED, accountId: "shop" }];
    await tells("logged_out", "started", "over");
    process.kill(first.process.pid ?? 0, "SIGCONT");
    await first.process.logs(({ msg }) => msg === "another sidecar works on this account now", PATIENCE_MS);
    await until("it has forgotten it", async () => !(await opened(first)).includes("logged_out"), PATIENCE_MS);
    // What it had to say by then would be on its way before this. With no calm it is another alert.
    gateway.accounts = [{ ...LOGGED_OUT, accountId: "shop" }];
    await tells("logged_out", "started", "over", "started");
    expect(new Set(toldOf("logged_out").map(({ id }) => id)).size).toBe(2);
  });

  it("once of Hot Bags, whoever of them sees it; where the one that leads dies meanwhile, the other one tells its end", async (test) => {
    const url = await database(test);
    const first = await start(url, "first", await gatewayOf("shop"));
    const second = await start(url, "second", await gatewayOf("outlet"));
    hotbags.faultFor(() => true, { status: 401 }, Number.POSITIVE_INFINITY);
    // The one that leads has no traffic of its own.
    const plugin = await connect(second);
    for (const [id, chat] of [
      ["o1", ANNA],
      ["o2", BEN],
    ] as const)
      await handIn(plugin, id, "outlet", chat);
    await tells("hot_bags", "started");
    expect(toldOf("hot_bags")).toMatchObject([{ fault: "credentials" }]);
    expect(await opened(first)).toContain("hot_bags");
    expect(await opened(second)).not.toContain("hot_bags");
    // Now it sees the same itself.
    const other = await connect(first);
    for (const [id, chat] of [
      ["s1", ANNA],
      ["s2", BEN],
    ] as const)
      await handIn(other, id, "shop", chat);
    await until(
      "each is asked",
      () => new Set(hotbags.requests.map(({ body }) => body?.message_id)).size === 4,
      PATIENCE_MS,
    );
    first.process.kill();
    await has(second, "hot_bags");
    hotbags.clearFaults();
    await tells("hot_bags", "started", "over");
    expect(new Set(toldOf("hot_bags").map(({ id }) => id)).size).toBe(1);
  });

  it("once that the database is away: the one that leads does at once, and the others only if that lasts", async (test) => {
    const here = running(test, databases);
    const url = await here.make();
    const first = await start(url, "first", await gatewayOf("shop"), { ALERT_DOWN_MINUTES: "60" });
    const second = await start(url, "second", await gatewayOf("outlet"), { ALERT_DOWN_MINUTES: "60" });
    await here.postgres.crash();
    try {
      await tells("store", "started");
      expect(toldOf("store")).toMatchObject([{ instance: "first", text: expect.stringContaining("BRIDGE_STORE") }]);
    } finally {
      await here.postgres.start();
    }
    await tells("store", "started", "over");
    for (const sidecar of [first, second])
      await until(
        "it can write again",
        async () => (await sidecar.health()).status !== 500 && !(await opened(sidecar)).includes("store"),
        PATIENCE_MS,
      );
    expect(toldOf("store")).toHaveLength(2);
    expect(toldOf("database")).toEqual([]);
  });

  it("each of its own machine, with its name, also over a restart", async (test) => {
    const url = await database(test);
    const away = await gatewayOf("outlet");
    await start(url, "first", await gatewayOf("shop"));
    const second = await start(url, "second", away);
    await away.stop();
    await tells("gateway", "started");
    expect(toldOf("gateway")).toMatchObject([{ instance: "second", title: "The gateway can't be reached (second)" }]);
    expect(await second.process.stop()).toBe(0);
    expect(readFileSync(join(second.dir, "machine-alerts.json"), "utf8")).toContain(
      String(toldOf("gateway")[0]?.["id"]),
    );
    await second.process.start();
    await has(second, "gateway");
    await away.start();
    await tells("gateway", "started", "over");
    expect(new Set(toldOf("gateway").map(({ id }) => id)).size).toBe(1);
  });
});

describe("two sidecars show", { timeout: 300_000 }, () => {
  it("what is an account's by its name, from its owner alone, and what is a process's by theirs; and figures of all", async (test) => {
    const url = await database(test);
    const all = [
      ["shop", await start(url, "first", await gatewayOf("shop"))],
      ["outlet", await start(url, "second", await gatewayOf("outlet"))],
    ] as const;
    for (const [account, sidecar] of all) {
      const plugin = await connect(sidecar);
      await handIn(plugin, `${account}-1`, account);
      if (account === "outlet") await handIn(plugin, `${account}-2`, account);
    }
    await until("all are answered", () => gateways.flatMap(({ sends }) => sends).length === 3, PATIENCE_MS);
    const [first, second] = await Promise.all(all.map(([, sidecar]) => scrape(sidecar.port)));
    const of = (n: number, account: string) => ({
      [`hotbags_messages_accepted_total{account="${account}",instance="${NAMES[n]}"}`]: n + 1,
    });
    expect(first).toMatchObject({
      ...of(0, "shop"),
      'hotbags_messages{state="dead",account="shop",instance="first"}': 0,
    });
    expect(second).toMatchObject({ ...of(1, "outlet"), 'hotbags_plugin_connected{instance="second"}': 1 });
    expect(Object.keys(first ?? {}).filter((name) => name.includes("outlet"))).toEqual([]);
    for (const [n, samples] of [first, second].entries())
      for (const name of Object.keys(samples ?? {})) expect(name).toContain(`instance="${NAMES[n]}"`);

    type Figures = { total: { messages_in: number } | null };
    for (const [, sidecar] of all) expect(await sidecar.process.stop()).toBe(0);
    for (const [, sidecar] of all) {
      await sidecar.process.start();
      const { total } = await askOperator<Figures>(sidecar.dir, "GET", "/api/v1/figures?range=hour");
      expect(total?.messages_in).toBe(3);
      await sidecar.process.stop();
    }
  });
});
