import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import type { Reloaded } from "../../sidecar/src/settings/in-use.ts";
import { GATEWAY_TOKEN, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { askOperator } from "../shop/operator-api.ts";
import type { LogLine } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { type AlertHook, startAlertHook } from "./alert-hook.ts";
import { BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { connectPlugin, type ScriptedPlugin } from "./scripted-plugin.ts";

// Secrets, alert targets and limits are replaced while messages flow, by one sidecar that is never restarted.

vi.setConfig({ testTimeout: 60_000 });

const FIRST = {
  HOTBAGS_BEARER_TOKEN: "bearer-the-first",
  HOTBAGS_HMAC_DISABLED: "false",
  HOTBAGS_HMAC_SECRET: "hmac-the-first",
  BRIDGE_TOKEN: "bridge-token-the-first",
};

let dir: string;
let hotbags: HotBags;
let gateway: ScriptedGateway;
let hook: AlertHook;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin | undefined;
/** What the env file says now. */
let written: Record<string, string>;
/** What it says at the start of each test. */
let START: Record<string, string>;
let messages = 0;
/** When the log's last page began, ms. */
let page = 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-rotation-"));
  hotbags = await startHotBags({ token: FIRST.HOTBAGS_BEARER_TOKEN, hmacSecret: FIRST.HOTBAGS_HMAC_SECRET });
  gateway = await new ScriptedGateway().start();
  hook = await startAlertHook();
  const prepared = await BuiltSidecar.prepare({ hotbags, gateway });
  const out = Object.fromEntries(
    ["HOTBAGS_BASE_URL", ...Object.keys(FIRST), "OPENCLAW_GATEWAY_TOKEN"].map((name) => [name, undefined]),
  );
  prepared.process.configure({ ...out, BRIDGE_LOW_DISK_BYTES: "", CREDENTIALS_DIRECTORY: dir });
  prepared.process.useEnvFile(join(dir, "sidecar.env"));
  sidecar = prepared;
  credential(GATEWAY_TOKEN);
  START = { HOTBAGS_BASE_URL: hotbags.url, BRIDGE_LOW_DISK_BYTES: "0", ...FIRST };
  write(START);
  await sidecar.process.start();
});
afterAll(async () => {
  plugin?.socket.terminate();
  expectNoSecret(await sidecar.wholeLog());
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
  hook.close();
  rmSync(dir, { recursive: true });
});
beforeEach(async () => {
  hotbags.knows(pair(FIRST.HOTBAGS_BEARER_TOKEN, FIRST.HOTBAGS_HMAC_SECRET));
  gateway.token = GATEWAY_TOKEN;
  credential(GATEWAY_TOKEN);
  expect(await reload(START)).toMatchObject({ mistakes: [], needs_restart: [] });
  if (plugin?.socket.readyState !== WebSocket.OPEN) plugin = await connectPlugin(sidecar.port, FIRST.BRIDGE_TOKEN);
  turnThePage();
});
afterEach(async () => {
  const config = await askOperator(sidecar.dir, "GET", "/api/v1/config");
  const { body } = await sidecar.health();
  expectNoSecret(config, body, sidecar.lines);
});

function expectNoSecret(...said: unknown[]) {
  for (const text of said.map((it) => JSON.stringify(it))) {
    expect(text).not.toMatch(/-the-(first|second|third|fifth)/);
    expect(text).not.toContain(hook.url);
  }
}

/** What is waited for from now on is said from now on: by its time, since a line can come later than what it tells of. */
function turnThePage() {
  page = Date.now() + 1;
  while (Date.now() < page) {}
}

const lines = (): LogLine[] => sidecar.lines.filter(({ time }) => Date.parse(String(time)) >= page);

function credential(token: string) {
  writeFileSync(join(dir, "OPENCLAW_GATEWAY_TOKEN"), token, { mode: 0o600 });
}

function write(settings: Record<string, string>) {
  written = settings;
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(dir, "sidecar.env"), lines.join(""), { mode: 0o600 });
}

/** Writes these down, and has the sidecar read them. */
function reload(settings: Record<string, string> = written) {
  write(settings);
  return askOperator<Reloaded>(sidecar.dir, "POST", "/api/v1/config/reload", {});
}

/** Two chats write, one message after the other, until `meanwhile` is over. Each must arrive by its first attempt. */
async function traffic(meanwhile: () => Promise<void>) {
  turnThePage();
  let isOver = false;
  const done = meanwhile().finally(() => {
    isOver = true;
  });
  const ids: string[] = [];
  while (!isOver || ids.length < 2) {
    const id = `m-${messages++}`;
    ids.push(id);
    expect(await plugin?.handIn(messageOf(id, messages % 2 ? ANNA : BEN))).toMatchObject({ type: "ack" });
    // Its fate is known before the next one is written, so that each step is met by some.
    await hotbags.receives(id);
  }
  await done;
  const delivered = () => lines().filter(({ msg }) => msg === "delivered to Hot Bags");
  await until("all are delivered", () => delivered().length === ids.length);
  expect(delivered().filter(({ attempts }) => attempts !== 1)).toEqual([]);
  expect(hotbags.accepted.slice(-ids.length).map(({ message_id }) => message_id)).toEqual(ids);
  expect(lines().filter(({ alarm }) => alarm)).toEqual([]);
}

const says = (text: string | RegExp) =>
  until(`the log says ${text}`, () => lines().some(({ msg }) => msg?.match(text)));

type Rotations = Record<string, { accepted: string | null; new_at: string | null; previous_at: string | null }>;
const rotation = async () => (await sidecar.health<{ rotation: Rotations }>()).body.rotation;

const pair = (token: string, hmacSecret: string) => ({ token, hmacSecret });

it("the bearer token: the former one goes on to do until Hot Bags knows the new one", async () => {
  expect(await rotation()).toEqual({});
  const both = {
    ...written,
    HOTBAGS_BEARER_TOKEN: "bearer-the-second",
    HOTBAGS_BEARER_TOKEN_PREVIOUS: "bearer-the-first",
  };
  const { HOTBAGS_BEARER_TOKEN_PREVIOUS: _, ...second } = both;
  await traffic(async () => {
    expect(await reload(both)).toMatchObject({
      changed: ["HOTBAGS_BEARER_TOKEN", "HOTBAGS_BEARER_TOKEN_PREVIOUS"],
    });
    await says(/Hot Bags goes by HOTBAGS_BEARER_TOKEN_PREVIOUS still/);
    expect(await rotation()).toMatchObject({ HOTBAGS_BEARER_TOKEN: { accepted: "previous", new_at: null } });
    hotbags.knows(pair("bearer-the-second", "hmac-the-first"));
    await says(/Hot Bags goes by the new HOTBAGS_BEARER_TOKEN: HOTBAGS_BEARER_TOKEN_PREVIOUS can be removed/);
    expect(await rotation()).toMatchObject({ HOTBAGS_BEARER_TOKEN: { accepted: "new" } });
    const { stdout } = await runHotbags(sidecar.dir, "status");
    expect(stdout).toMatch(/HOTBAGS_BEARER_TOKEN +the new one is used: HOTBAGS_BEARER_TOKEN_PREVIOUS can be removed/);
    expect(await reload(second)).toMatchObject({ changed: ["HOTBAGS_BEARER_TOKEN_PREVIOUS"] });
  });
  expect(await rotation()).toEqual({});
});

it("the key to sign with", async () => {
  await traffic(async () => {
    await reload({ ...START, HOTBAGS_HMAC_SECRET: "hmac-the-second", HOTBAGS_HMAC_SECRET_PREVIOUS: "hmac-the-first" });
    await says(/Hot Bags goes by HOTBAGS_HMAC_SECRET_PREVIOUS still/);
    hotbags.knows(pair("bearer-the-first", "hmac-the-second"));
    await says(/Hot Bags goes by the new HOTBAGS_HMAC_SECRET:/);
    await reload({ ...START, HOTBAGS_HMAC_SECRET: "hmac-the-second" });
  });
});

it("both at once, which Hot Bags replaces one after the other", async () => {
  const second = { HOTBAGS_BEARER_TOKEN: "bearer-the-second", HOTBAGS_HMAC_SECRET: "hmac-the-second" };
  const first = { HOTBAGS_BEARER_TOKEN_PREVIOUS: "bearer-the-first", HOTBAGS_HMAC_SECRET_PREVIOUS: "hmac-the-first" };
  await traffic(async () => {
    await reload({ ...START, ...second, ...first });
    await says(/HOTBAGS_BEARER_TOKEN_PREVIOUS still/);
    hotbags.knows(pair("bearer-the-first", "hmac-the-second"));
    await says(/by the new HOTBAGS_HMAC_SECRET:/);
    hotbags.knows(pair("bearer-the-second", "hmac-the-second"));
    await says(/by the new HOTBAGS_BEARER_TOKEN:/);
    await reload({ ...START, ...second });
  });
});

it("a secret that Hot Bags replaced first is shown as soon as the sidecar has it", async () => {
  hotbags.knows(pair("bearer-the-second", "hmac-the-first"));
  for (const chat of [ANNA, BEN]) {
    for (let n = 0; n < 3; n++) await plugin?.handIn(messageOf(`late-${messages++}`, chat));
  }
  await until(
    "all wait",
    async () => (await sidecar.health<{ hotbags: { reachable: boolean } }>()).body.hotbags.reachable === false,
  );
  await reload({ ...written, HOTBAGS_BEARER_TOKEN: "bearer-the-second" });
  for (let n = messages - 6; n < messages; n++) await hotbags.receives(`late-${n}`);
});

describe("the plugin's token", () => {
  const connect = (token: string) => connectPlugin(sidecar.port, token);

  it("both are taken at once, and the connection with the former one goes on; none is after it was removed", async () => {
    const both = { ...written, BRIDGE_TOKEN: "bridge-token-the-second", BRIDGE_TOKEN_PREVIOUS: FIRST.BRIDGE_TOKEN };
    const { BRIDGE_TOKEN_PREVIOUS: _, ...second } = both;
    await traffic(async () => {
      await reload(both);
    });
    expect(await rotation()).toMatchObject({ BRIDGE_TOKEN: { accepted: "previous" } });
    (await connect(FIRST.BRIDGE_TOKEN)).socket.terminate();
    const former = plugin as ScriptedPlugin;
    plugin = await connect("bridge-token-the-second");
    expect(await rotation()).toMatchObject({ BRIDGE_TOKEN: { accepted: "new" } });
    const left = once(former.socket, "close");
    await traffic(async () => {
      await reload(second);
      const [code, reason] = await left;
      expect([code, String(reason)]).toEqual([1008, "its token is valid no more"]);
    });
    await expect(connect(FIRST.BRIDGE_TOKEN)).rejects.toThrow(/401/);
    expect(await rotation()).toEqual({});
  });
});

it("the gateway's token is shown when the link is made anew, and at once where the former one was refused", async () => {
  gateway.token = "gateway-token-the-second";
  await gateway.restartAs("boot-2");
  const link = async () => (await sidecar.health<{ gateway: { link: string } }>()).body.gateway.link;
  await until("it is refused", async () => (await link()) === "refused");
  credential("gateway-token-the-second");
  expect(await reload()).toMatchObject({ changed: ["OPENCLAW_GATEWAY_TOKEN"] });
  await until("it is connected", async () => (await link()) === "up");
});

it("alerts go where they are to go now, and limits count from now on", async () => {
  const changes = { ALERT_WEBHOOK_URL: hook.url, BRIDGE_LOW_DISK_BYTES: String(1024 ** 4), BRIDGE_LOG_LEVEL: "debug" };
  expect(await reload({ ...written, ...changes })).toMatchObject({
    changed: ["BRIDGE_LOW_DISK_BYTES", "ALERT_WEBHOOK_URL", "BRIDGE_LOG_LEVEL"],
  });
  await until("the alert is there", () => hook.alerts.some(({ alert }) => alert === "disk"));
  await reload({ ...written, BRIDGE_LOW_DISK_BYTES: "0" });
});

describe("a reload", () => {
  it("with a mistake anywhere changes nothing, and says all of them", async () => {
    const good = written;
    const wrong = { ...good, HOTBAGS_BEARER_TOKEN: "bearer-the-fifth", BRIDGE_RETRY_HOURS: "0", BRIDGE_TOKEN: "short" };
    const mistakes = [/^BRIDGE_TOKEN: must be at least 16/, /^BRIDGE_RETRY_HOURS: must be a whole/];
    const expected = mistakes.map((mistake) => expect.stringMatching(mistake));
    expect(await reload(wrong)).toEqual({ changed: [], needs_restart: [], mistakes: expected });
    process.kill(sidecar.process.pid ?? 0, "SIGHUP");
    await until("the signal is answered, too", () => lines().some(({ who }) => who === "SIGHUP"));
    expect(
      lines()
        .filter(({ alarm }) => alarm)
        .map(({ who, mistakes }) => [who, mistakes]),
    ).toEqual([
      [expect.any(String), expected],
      ["SIGHUP", expected],
    ]);
    turnThePage();
    write(good);
    await traffic(async () => {
      expect(await reload(good)).toMatchObject({ changed: [] });
    });
  });

  it("names what needs a restart, and takes the rest over; by a signal, too", async () => {
    const { BRIDGE_QUIET_HOURS: _, ...before } = written;
    expect(await reload({ ...before, HOTBAGS_BASE_URL: "https://other.example", BRIDGE_QUIET_HOURS: "5" })).toEqual({
      ...{ changed: ["BRIDGE_QUIET_HOURS"], needs_restart: ["HOTBAGS_BASE_URL"], mistakes: [] },
    });
    await traffic(async () => {
      write(before);
      process.kill(sidecar.process.pid ?? 0, "SIGHUP");
      await says(/settings were read again/);
    });
    expect(lines()).toContainEqual(
      expect.objectContaining({ who: "SIGHUP", changed: ["BRIDGE_QUIET_HOURS"], needs_restart: [] }),
    );
    const audit = () => askOperator<{ entries: { who: string }[] }>(sidecar.dir, "GET", "/api/v1/audit?limit=2");
    const { entries } = await until("both are in the audit", async () => {
      const page = await audit();
      return page.entries[0]?.who === "SIGHUP" ? page : null;
    });
    const entry = { action: "reload the settings", kind: "settings", result: "changed: BRIDGE_QUIET_HOURS" };
    expect(entries).toMatchObject([{ ...entry, who: "SIGHUP" }, entry]);
  });
});
