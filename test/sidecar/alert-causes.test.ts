import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { REPORTS_PATH } from "../../shared/src/report.ts";
import { noteBackup } from "../../sidecar/src/checks/last-backup.ts";
import { CONNECTED } from "../gateway/scripted-gateway.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BRIDGE_TOKEN } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { connectPlugin } from "./scripted-plugin.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

const LEAPING_CLOCK = preload("../shop/leaping-clock.mjs");

type Waiting = { commands: { pending: number }; messages: { pending: number } };
type HotBagsHealth = { hotbags: { reachable: boolean } };
type Checks = { checks: { name: string; ok: boolean; value: unknown; advice: string | null }[] };

// Each alert from its real cause, on the built sidecar: what the operator's webhook gets when it begins, and when it is over.
// Others have theirs where their cause is: disk (low-disk), database (damaged-everywhere), runaway, number, lock (handover), hot_bags
// (rules), clock (clock), quiet and downtime (on the real gateway).

/** What is away is told at once, and so is what is over. */
const AT_ONCE = {
  ...{ ALERT_DOWN_MINUTES: "0", ALERT_CALM_SECONDS: "0" },
  NODE_OPTIONS: `--import=${preload("./quick-looks.mjs")}`,
};

// Each waits for several things, and may wait 20 s for each.
vi.setConfig({ testTimeout: 60_000 });

let shop: ShopWithOperator;
beforeAll(async () => {
  shop = await ShopWithOperator.start(AT_ONCE);
  await settled();
});

/** Another shop in place of the one that is there. */
async function another(env: Record<string, string>): Promise<void> {
  await shop.close();
  shop = await ShopWithOperator.start(env);
  await settled();
}

/** What a test makes of this shop is nobody else's: those after it have another one, in whichever order they come. */
const leavesItBehind = () => {
  isLeftBehind = true;
};
let isLeftBehind = false;

afterAll(() => shop.close());
afterEach(async () => {
  const said = JSON.stringify(shop.hook.alerts);
  for (const secret of [ANNA, BEN, ANNA.slice(1), BEN.slice(1), "hello", BRIDGE_TOKEN])
    expect(said).not.toContain(secret);
  if (isLeftBehind) await another(AT_ONCE);
  else await settled();
  isLeftBehind = false;
});

const healthy = () => until("all is well", async () => (await shop.sidecar.health()).status === 200, 20_000);

/** All is well, and what was told is over: a start, too, tells of what was not there yet. */
async function settled(): Promise<void> {
  await healthy();
  const isOpen = ({ id, state }: Record<string, unknown>) =>
    state === "started" && !shop.hook.alerts.some((other) => other["id"] === id && other["state"] === "over");
  const lasting = async () => (await shop.health<{ alerts: Record<string, unknown>[] }>()).alerts;
  await until("what is over is told", async () => shop.hook.alerts.filter(isOpen).length === (await lasting()).length);
}

const hotbags = (...args: string[]) => runHotbags(shop.sidecar.dir, ...args);

/** Resolves with the first notice of this kind and state from now on. */
async function told(kind: string, state: string, from: number) {
  const isIt = ({ alert, state: its }: Record<string, unknown>) => alert === kind && its === state;
  return await until(`${kind} is ${state}`, () => shop.hook.alerts.slice(from).find(isIt), 20_000);
}

/** Begins it, and resolves with what was told of it when it had begun; then ends it, and looks whether that is told, too. */
async function alertOf(kind: string, begin: () => unknown, end: () => unknown) {
  const from = shop.hook.alerts.length;
  await begin();
  const started = await told(kind, "started", from);
  const { alerts } = await shop.health<{ alerts: Record<string, unknown>[] }>();
  expect(alerts).toContainEqual(expect.objectContaining({ alert: kind, since: started["since"] }));
  await end();
  const over = await told(kind, "over", from);
  expect(over).toMatchObject({ id: started["id"], text: expect.stringMatching(/^Over after \d+/) });
  const ofKind = shop.hook.alerts.slice(from).filter(({ alert }) => alert === kind);
  expect(ofKind.map(({ state }) => state)).toEqual(["started", "over"]);
  return started;
}

const isConnected = () => {
  shop.gateway.accounts = [CONNECTED];
};

it.each([
  [
    "logged_out",
    { running: false, connected: false, healthState: "logged-out" },
    /channels login --channel whatsapp --account default/,
  ],
  ["logged_out", { statusState: "not-linked", connected: false }, /No phone is linked.*channels login/],
  ["replaced", { running: false, connected: false, healthState: "conflict" }, /Close the other session/],
  ["whatsapp_down", { connected: false }, /check the machine's internet connection/],
])("%s (%o)", async (kind, changes, text) => {
  const begin = () => {
    shop.gateway.accounts = [{ ...CONNECTED, ...changes }];
  };
  const alert = await alertOf(kind, begin, isConnected);
  expect(alert).toMatchObject({ severity: "critical", account: "default", text: expect.stringMatching(text) });
});

it("gateway, and that it died, with the instant", async () => {
  const from = shop.hook.alerts.length;
  const before = Date.now();
  const alert = await alertOf(
    "gateway",
    () => shop.gateway.stop(),
    () => shop.gateway.restartAs("boot-after-a-crash"),
  );
  expect(alert).toMatchObject({
    severity: "critical",
    text: expect.stringContaining("gateway at ws://127.0.0.1:"),
  });
  const died = await told("gateway_died", "happened", from);
  expect(Date.parse(String(died["at"]))).toBeGreaterThanOrEqual(before);
  expect(died["text"]).toMatch(/ended without a word on .*: it was killed, or it crashed\..*shop's phone/);
});

it("no death where the gateway was stopped, nor where only the connection broke", async () => {
  const from = shop.hook.alerts.length;
  await alertOf(
    "gateway",
    () => shop.gateway.stop({ politely: true }),
    () => shop.gateway.restartAs("boot-after-a-stop"),
  );
  await alertOf(
    "gateway",
    () => shop.gateway.stop(),
    () => shop.gateway.start(),
  );
  expect(shop.hook.alerts.slice(from).filter(({ alert }) => alert === "gateway_died")).toEqual([]);
});

it("plugin, of another version of the wire, and then one of this version that goes", async () => {
  const connect = async () => {
    shop.plugin = await shop.sidecar.connect();
  };
  const refused = await alertOf(
    "plugin",
    async () => {
      const about = { plugin_version: "9.0.0", openclaw_version: "2027.1.1" };
      expect(await shop.plugin.ask({ v: 9, type: "hello", ...about })).toMatchObject({ code: "bad_version" });
    },
    connect,
  );
  expect(refused["text"]).toMatch(/^The OpenClaw plugin is of another version.*of one release/);
  const gone = await alertOf("plugin", () => shop.plugin.socket.terminate(), connect);
  expect(gone["text"]).toContain("openclaw hotbags status");
});

it("version", async () => {
  const alert = await alertOf(
    "version",
    async () => {
      shop.plugin.socket.terminate();
      shop.plugin = await connectPlugin(shop.sidecar.port, BRIDGE_TOKEN, "0.0.9");
    },
    async () => {
      shop.plugin.socket.terminate();
      shop.plugin = await shop.sidecar.connect();
    },
  );
  expect(alert["text"]).toMatch(/hotbags in OpenClaw is 0\.0\.9.*install the plugin/);
});

it("plugin_dead_letter", async () => {
  const status = (parked_messages: number) => {
    const outbox = { outbox_messages: 0, outbox_bytes: 0, oldest_at: null, parked_messages };
    shop.plugin.socket.send(JSON.stringify({ v: 1, type: "status", ...outbox }));
  };
  const alert = await alertOf(
    "plugin_dead_letter",
    () => status(2),
    () => status(0),
  );
  expect(alert).toMatchObject({ severity: "warning", count: 2 });
});

it("hot_bags, refusing the token", async () => {
  const lift = shop.hotbags.faultFor(() => true, { status: 401 }, Number.POSITIVE_INFINITY);
  const alert = await alertOf(
    "hot_bags",
    async () => {
      await shop.plugin.handIn(messageOf("T1", ANNA));
      await shop.plugin.handIn(messageOf("T2", BEN));
    },
    () => lift(),
  );
  expect(alert).toMatchObject({
    fault: "credentials",
    status: 401,
    text: expect.stringContaining("HOTBAGS_BEARER_TOKEN"),
  });
});

it("dead_letter", async () => {
  const alert = await alertOf(
    "dead_letter",
    async () => {
      await shop.plugin.handIn(messageOf("D1", ANNA));
      // An id that another chat has used already is a dead letter at once.
      await shop.plugin.handIn(messageOf("D1", BEN));
    },
    () => hotbags("messages", "discard", "--all-dead", "--yes"),
  );
  expect(alert).toMatchObject({
    count: 1,
    text: expect.stringMatching(/already used in another chat.*messages retry/),
  });
});

it("refused_command, as visible as a dead letter", async () => {
  const from = shop.hook.alerts.length;
  const commands = [{ command_id: 1.5, type: "send_text", text: "hello" }];
  shop.hotbags.faultFor(({ text }) => text === "R1", { status: 200, body: JSON.stringify({ commands }) });
  await shop.plugin.handIn(messageOf("R1", ANNA));
  const alert = await told("refused_command", "started", from);
  // What is over is kept, and would outlive a customer who is forgotten.
  expect(JSON.stringify(alert)).not.toContain("R1");
  expect(alert).toMatchObject({
    ...{ severity: "warning", count: 1 },
    text: expect.stringMatching(/The last one: .*command_id: as a number it must be a whole one.*state failed/),
  });
});

it("in_doubt", async () => {
  const { send } = shop.gateway;
  const alert = await alertOf(
    "in_doubt",
    async () => {
      shop.gateway.send = () => "hang up";
      await shop.plugin.handIn(messageOf("I1", ANNA));
      await until("it was sent", () => shop.gateway.sends.some(({ idempotencyKey }) => idempotencyKey === "to-I1"));
      await shop.gateway.restartAs("boot-that-knows-nothing");
    },
    async () => {
      shop.gateway.send = send;
      await hotbags("commands", "resolve", "command_id:to-I1", "--sent", "--yes");
    },
  );
  expect(alert).toMatchObject({ count: 1, text: expect.stringContaining("hotbags commands resolve") });
});

it("ledger", async () => {
  const change = (by: number) => {
    const db = new Database(join(shop.sidecar.dir, "bridge.sqlite"));
    db.prepare("UPDATE counters SET value = value + ? WHERE name = 'accepted'").run(by);
    db.close();
  };
  // What is counted there is there from the first message on.
  await shop.plugin.handIn(messageOf("L1", ANNA));
  const alert = await alertOf(
    "ledger",
    () => change(1),
    () => change(-1),
  );
  expect(alert["text"]).toContain("defect of the bridge");
  const list = await hotbags("alerts", "list");
  expect([list.code, list.stdout]).toEqual([0, expect.stringMatching(/^alert +since +over +severity +what\n/)]);
  expect(list.stdout).toMatch(/\nledger +\d{4}-\S+ \S+ +\d{4}-\S+ \S+ +critical +The ledger does not add up\n/);
});

it("sends a test by every way", async () => {
  const from = shop.hook.alerts.length;
  const test = await hotbags("alerts", "test");
  expect([test.code, test.stdout]).toEqual([0, expect.stringMatching(/\nALERT_WEBHOOK_URL +delivered/)]);
  expect(shop.hook.alerts.slice(from)).toMatchObject([{ alert: "test", state: "test" }]);
});

it("over a restart, nothing is told again as new, and what is over by then is told as over", async () => {
  leavesItBehind();
  const from = shop.hook.alerts.length;
  shop.gateway.accounts = [{ ...CONNECTED, running: false, connected: false, healthState: "logged-out" }];
  await told("logged_out", "started", from);
  await shop.restart({}, "kill");
  await until("it is known again", async () => JSON.stringify(await shop.health()).includes("logged this device out"));
  await shop.restart();
  isConnected();
  await told("logged_out", "over", from);
  // After a kill in the moment of the delivery the same one can come twice: its id says so.
  const notices = shop.hook.alerts.slice(from).filter(({ alert }) => alert === "logged_out");
  const ids = new Set(notices.map(({ id }) => id));
  const states = new Set(notices.map(({ state }) => state));
  expect([ids.size, ...states]).toEqual([1, "started", "over"]);
});

it("alert_channel: a webhook that is gone makes /health red, and the other way tells", async () => {
  const [said, { lines }] = [join(shop.sidecar.dir, "said"), shop.sidecar];
  shop.hook.status = 404;
  leavesItBehind();
  await shop.restart({ ALERT_COMMAND: `cat >> '${said}'` });
  shop.plugin.socket.terminate();
  await until("it is an alarm in the log", () =>
    lines.some(
      ({ alarm, by, msg }) => alarm === true && by === "ALERT_WEBHOOK_URL" && msg?.includes("was 404: the webhook"),
    ),
  );
  const check = async () =>
    (await shop.health<Checks>()).checks.find(({ name }) => name === "alerts_by_alert_webhook_url");
  await until("it is in /health", async () => (await check())?.ok === false);
  expect((await check())?.advice).toContain("set ALERT_WEBHOOK_URL to it");
  await until(
    "the command tells",
    () => existsSync(said) && readFileSync(said, "utf8").includes("alerts are not delivered by ALERT_WEBHOOK_URL"),
  );
  shop.hook.status = 200;
  shop.plugin = await shop.sidecar.connect();
});

it("backup", async () => {
  const note = (made_at: string, problem: string | null) =>
    noteBackup(shop.sidecar.dir, { made_at, file: null, uploaded: null, problem });
  const started = await alertOf(
    "backup",
    () => note("2026-03-01T03:20:00.000Z", "the disk is full"),
    () => note(new Date().toISOString(), null),
  );
  expect(started).toMatchObject({ severity: "warning", made_at: "2026-03-01T03:20:00.000Z" });
  expect(started["text"]).toMatch(/of 2026-03-01.*The last try: the disk is full\./);
});

it("one alert of a deployment that fails, passes and fails again, over and over", async () => {
  leavesItBehind();
  await shop.restart({ ALERT_CALM_SECONDS: "60" });
  await healthy();
  const from = shop.hook.alerts.length;
  for (let round = 1; round <= 2; round += 1) {
    const lift = shop.hotbags.faultFor(() => true, { status: 404 }, Number.POSITIVE_INFINITY);
    for (const chat of [ANNA, BEN]) await shop.plugin.handIn(messageOf(`F${round}${chat.at(-1)}`, chat));
    await until("Hot Bags takes nothing", async () => !(await shop.health<HotBagsHealth>()).hotbags.reachable);
    await told("hot_bags", "started", from);
    lift();
    await until("it takes all", async () => (await shop.health<Waiting>()).messages.pending === 0);
  }
  const ofHotBags = shop.hook.alerts.slice(from).filter(({ alert }) => alert === "hot_bags");
  expect(ofHotBags).toMatchObject([{ state: "started", fault: "address" }]);
});

it("certificate", async () => {
  const { key, cert } = makeCertificate(shop.sidecar.dir, 5);
  let requests = 0;
  const server = createServer({ key, cert }, () => {
    requests += 1;
  }).listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  leavesItBehind();
  const from = shop.hook.alerts.length;
  // Nobody writes.
  await shop.restart({ HOTBAGS_BASE_URL: `https://localhost:${port}` });
  expect(await told("certificate", "started", from)).toMatchObject({
    ...{ severity: "warning", ends_at: expect.stringMatching(/^\d{4}-/) },
    text: expect.stringMatching(/ends on .*, in [45] days: renew it/),
  });
  const days = async () =>
    (await shop.health<Checks>()).checks.find(({ name }) => name === "hot_bags_certificate_days")?.value;
  expect([4, 5]).toContain(await days());
  expect(requests).toBe(0);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
});

it("reports, message_waits, reply_waits and store, after their time", async () => {
  // Two hours pass at a signal. What it writes down is of the future from then on, on a shop of its own.
  await another({
    ...AT_ONCE,
    HOTBAGS_REPORTS_PATH: REPORTS_PATH,
    NODE_OPTIONS: `${AT_ONCE.NODE_OPTIONS} --import=${LEAPING_CLOCK}`,
  });
  leavesItBehind();
  const leap = () => process.kill(shop.sidecar.process.pid ?? 0, "SIGUSR2");
  const mend = shop.hotbags.reports.faultFor(() => true, { status: 503 }, Number.POSITIVE_INFINITY);
  const report = await alertOf(
    "reports",
    async () => {
      await shop.plugin.handIn(messageOf("W0", BEN));
      await until("it was told", () => shop.hotbags.reports.attempts.length > 0);
      leap();
    },
    () => mend(),
  );
  expect(report["text"]).toMatch(
    /^Hot Bags is not told what .*: 1 report waits\. The last failure: Hot Bags answered 503/,
  );
  expect(shop.hotbags.reports.taken).toMatchObject([
    { command_id: "to-W0", state: "sent", whatsapp_message_id: "WA-to-W0", chat_id: BEN },
  ]);
  expect((await shop.health<{ reports: object }>()).reports).toMatchObject({ on: true, waiting: 0, delivered: 1 });

  const lift = shop.hotbags.faultFor(({ text }) => text === "W1", { status: 503 }, Number.POSITIVE_INFINITY);
  const message = await alertOf(
    "message_waits",
    async () => {
      await shop.plugin.handIn(messageOf("W1", ANNA));
      await until("it was asked", () => shop.hotbags.requests.some(({ key }) => key === "W1"));
      leap();
    },
    () => lift(),
  );
  expect(message["text"]).toMatch(/^A message has waited 120 minutes for Hot Bags\. The last failure: .*answered 503/);

  const reply = await alertOf(
    "reply_waits",
    async () => {
      shop.gateway.accounts = [{ ...CONNECTED, connected: false }];
      await until("it is known", async () => JSON.stringify(await shop.health()).includes("is trying again"));
      await shop.plugin.handIn(messageOf("W2", BEN));
      await until("its reply waits", async () => (await shop.health<Waiting>()).commands.pending === 1);
      leap();
    },
    isConnected,
  );
  expect(reply).toMatchObject({ severity: "critical", minutes: 120 });

  const other = new Database(join(shop.sidecar.dir, "bridge.sqlite"));
  const store = await alertOf(
    "store",
    async () => {
      other.exec("BEGIN IMMEDIATE");
      expect(await shop.plugin.handIn(messageOf("S1", ANNA))).toMatchObject({ type: "refused" });
      await until("it is known", async () => JSON.stringify(await shop.health()).includes("can't be written since"));
      leap();
    },
    () => {
      other.exec("COMMIT");
      other.close();
    },
  );
  expect(store["text"]).toMatch(/can't be written \(.*SQLITE_BUSY.*is it full, read-only or gone/);
});

/** A self-signed one for localhost, with its key. */
function makeCertificate(folder: string, days: number) {
  const [key, file] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const ofKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key];
  execFileSync("openssl", ["req", "-x509", ...ofKey, "-out", file, "-days", String(days), ...subject], {
    stdio: "ignore",
  });
  return { key: readFileSync(key), cert: readFileSync(file) };
}

function preload(module: string): string {
  return fileURLToPath(new URL(module, import.meta.url));
}
