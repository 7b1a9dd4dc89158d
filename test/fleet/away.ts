import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { expect } from "vitest";
import { Bridge, CLAIM } from "../../plugin/src/bridge.ts";
import { Outbox } from "../../plugin/src/outbox/outbox.ts";
import { memoryLog } from "../../plugin/src/testing/log.ts";
import { directContext } from "../../plugin/src/testing/messages.ts";
import { TESTED } from "../../shared/src/index.ts";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { startAlertHook } from "../sidecar/alert-hook.ts";
import { BEARER_TOKEN, BRIDGE_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { until } from "../until.ts";
import type { Databases } from "./databases.ts";

// The database is away for as long as is asked for, while customers write. Two branches of a shop, each with the plugin's own
// instance (hooks, outbox and link) and the built sidecar; doubles of their gateways and of Hot Bags. The sidecar of the one works
// through all of it; that of the other is ended and started anew meanwhile, as systemd's watchdog does after ten minutes.

const PATIENCE_MS = 180_000;
/** So many chats at least, with so many messages each at the most: of more than 30 replies in a minute the last are held. */
const LEAST_CHATS = 12;
const MOST_IN_CHAT = 20;
const LOOK_EVERY_MS = 1_000;

/** So often at most an alert that lasts is told again here, ms. */
const REPEAT_MS = 3_600_000;
/** As in ALERT_DOWN_MINUTES, with what it takes until an outage is one. */
const DOWN_MS = 3 * 60_000 + 15_000;

export interface Away {
  /** How long, ms. */
  lastsMs: number;
  /** How many messages customers write meanwhile. */
  messages: number;
  /** For how long the sidecar of the second branch works, before it is ended and started anew, ms. */
  restartAfterMs: number;
  /** On top of what the sidecars need. */
  env?: Record<string, string>;
}

/** What was seen, for people. */
export interface AwayFigures {
  awayS: number;
  written: number;
  /** From the crash until `/health` was red, of the sidecar that was the last. */
  redAfterS: number;
  /** From the end of the server's start to the last reply. */
  caughtUpS: number;
  /** From there until the last sidecar said that all is well. */
  healthyS: number;
  /** Lines of each log while it was away, and of each kind. */
  lines: Record<string, number>;
  /** Resident memory of the sidecar that works through: as it began, the highest and at the end, MB. */
  rssMb: [number, number, number];
}

type Branch = Awaited<ReturnType<typeof openBranch>>;

/** Has the database go away for a while, and checks all that is promised of it. */
export async function livesWithoutDatabase(databases: Databases, away: Away): Promise<AwayFigures> {
  const url = await databases.make();
  await using stack = new AsyncDisposableStack();
  const hook = await startAlertHook();
  stack.defer(() => hook.close());
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  stack.defer(() => hotbags.close());
  hotbags.answers(({ message_id }) => [{ command_id: `to-${message_id}`, type: "send_text", text: "hello" }]);
  const env = { BRIDGE_STORE: url, ALERT_WEBHOOK_URL: hook.url, ALERT_REPEAT_HOURS: "1", ...away.env };
  const leader = stack.use(await openBranch("shop", hotbags, env));
  const other = stack.use(await openBranch("outlet", hotbags, env));
  const branches = [leader, other];
  const written: { id: string; chat: string }[] = [];
  // Each branch has as many.
  const chats = 2 * Math.ceil(Math.max(LEAST_CHATS, away.messages / MOST_IN_CHAT) / 2);
  const write = async () => {
    const n = written.length;
    const [id, chat] = [`m${n}`, `+155500030${String(n % chats).padStart(3, "0")}`];
    // A chat is always of the same branch.
    await (n % 2 === 0 ? leader : other).write(id, chat);
    written.push({ id, chat });
  };
  const isAnswered = () => branches.reduce((sum, { gateway }) => sum + gateway.sends.length, 0) >= written.length;

  for (let n = 0; n < chats; n += 1) await write();
  await until("all before it are answered", isAnswered, PATIENCE_MS);
  await until("all of them are well, and nothing is under way", async () => await allSettled(branches), PATIENCE_MS);
  expect(hook.alerts).toEqual([]);

  const before = { posts: hotbags.requests.length, written: written.length };
  for (const branch of branches) branch.beginsToCount();
  await databases.postgres.crash();
  const since = performance.now();
  const awayMs = () => performance.now() - since;
  let restarted: Promise<void> | null = null;
  for (let looks = 1; awayMs() < away.lastsMs; looks += 1) {
    while ((written.length - before.written) / away.messages < awayMs() / away.lastsMs) await write();
    for (const branch of branches) await branch.looks(awayMs());
    expect(hotbags.requests.length).toBe(before.posts);
    expect(isAnswered()).toBe(false);
    if (restarted === null && awayMs() > away.restartAfterMs) restarted = other.restarts();
    await after(Math.max(0, looks * LOOK_EVERY_MS - awayMs()));
  }
  const told = hook.alerts.map(({ alert, state, instance }) => `${alert} ${state} ${instance}`);
  for (const branch of branches) branch.endsToCount();

  await databases.postgres.start();
  const backAt = performance.now();
  await until("all are answered", isAnswered, PATIENCE_MS);
  const answeredAt = performance.now();
  await restarted;
  await until("all of them are well again", async () => await allSettled(branches), PATIENCE_MS);
  const wellAt = performance.now();
  for (const branch of branches) expect(branch.waiting()).toBe(0);
  expectEachOnceInOrder(written, hotbags, branches);
  expect(told).toEqual(expectedAlerts(away));
  const seconds = (ms: number) => Math.round(ms / 100) / 10;
  const figures: AwayFigures = {
    awayS: seconds(away.lastsMs),
    written: written.length - before.written,
    redAfterS: seconds(Math.max(...branches.map(({ redAfterMs }) => redAfterMs()))),
    caughtUpS: seconds(answeredAt - backAt),
    healthyS: seconds(wellAt - answeredAt),
    lines: Object.assign({}, ...branches.map((branch) => branch.counted())),
    rssMb: leader.rssMb(),
  };
  // An hour that fails in its last minute has shown all else.
  console.log(JSON.stringify(figures, null, 1));
  const ends = () =>
    hook.alerts.slice(told.length).map(({ alert, state, instance }) => `${alert} ${state} ${instance}`);
  const expected = told.filter((one) => one.includes(" started ")).map((one) => one.replace("started", "over"));
  await until("as many have ended", () => ends().length >= expected.length, PATIENCE_MS).catch(() => {});
  expect(ends().sort()).toEqual(expected.sort());
  return figures;
}

/** The first one leads, and tells of it at once; the other one if it lasts. */
function expectedAlerts({ lastsMs, restartAfterMs }: Away): string[] {
  const started = ["store started shop", ...(restartAfterMs > DOWN_MS ? ["store started outlet"] : [])];
  const repeats = Math.floor((lastsMs - 30_000) / REPEAT_MS);
  return [...started, ...Array.from({ length: repeats }, () => "store lasts shop")];
}

/** A branch of the shop with its WhatsApp account, its gateway's double, the plugin in it, and its sidecar. */
async function openBranch(name: string, hotbags: HotBags, env: Record<string, string>) {
  const gateway = new ScriptedGateway();
  gateway.accounts = [{ ...CONNECTED, accountId: name }];
  await gateway.start();
  const sidecar = await BuiltSidecar.start({ hotbags, gateway, env: { ...env, BRIDGE_INSTANCE: name } });
  const stateDir = mkdtempSync(join(tmpdir(), "hotbags-away-"));
  const log = memoryLog();
  const plugin = new Bridge({
    ...{ stateDir, log, openclawVersion: TESTED.openclaw, isConsumed: () => false },
    readConfig: () => ({ sidecarUrl: `ws://127.0.0.1:${sidecar.port}`, token: BRIDGE_TOKEN }),
  });
  plugin.start();
  const outbox = new Outbox(join(stateDir, "hotbags", "outbox.sqlite"));
  const rss: number[] = [];
  let [redAfterMs, isStarting, handedIn] = [Number.NaN, false, 0];
  const first = { sidecar: 0, plugin: 0 };
  let counted: Record<string, number> = {};
  return {
    gateway,
    sidecar,
    async write(id: string, chat: string): Promise<void> {
      const customer = { From: chat, ChatId: chat, OriginatingTo: chat, SenderId: chat, SenderE164: chat };
      const context = directContext({ ...customer, AccountId: name, MessageSid: id, RawBody: id });
      expect(await plugin.onDispatch(context)).toBe(CLAIM);
      handedIn += 1;
    },
    waiting: () => outbox.totals().waiting,
    beginsToCount(): void {
      [first.sidecar, first.plugin, handedIn] = [sidecar.lines.length, log.lines.length, 0];
    },
    /** Once red, it stays so; and the outbox has all that was written. */
    async looks(awayMs: number): Promise<void> {
      expect(outbox.totals()).toMatchObject({ waiting: handedIn, dead: 0 });
      const health = await sidecar.health().catch(() => null);
      if (health !== null) {
        isStarting = false;
        if (Number.isNaN(redAfterMs) && health.status === 503) redAfterMs = awayMs;
        if (!Number.isNaN(redAfterMs)) expect(health.status).toBe(503);
        if (!Number.isNaN(redAfterMs)) expect(health.body.problems).toContainEqual(expect.stringMatching(/database/));
      } else expect(isStarting).toBe(true);
      const pid = sidecar.process.pid;
      if (pid !== undefined) rss.push(residentMb(pid) ?? 0);
    },
    /** Ends where it stands, and is started anew. Resolves when it works. */
    async restarts(): Promise<void> {
      isStarting = true;
      await sidecar.process.kill();
      // It gives up waiting for that long before.
      sidecar.process.start().catch(() => {});
      await sidecar.process.logs(({ msg }) => msg === "sidecar started", 24 * 3_600_000);
    },
    endsToCount(): void {
      expect(redAfterMs).not.toBeNaN();
      const said = sidecar.lines.slice(first.sidecar).map(({ level, msg }) => `sidecar ${level} ${msg}`);
      const saidByPlugin = log.lines.slice(first.plugin).map((line) => `plugin ${line}`);
      counted = countKinds(name, [...said, ...saidByPlugin]);
    },
    counted: () => counted,
    redAfterMs: () => redAfterMs,
    rssMb: (): [number, number, number] => [rss[0] ?? 0, Math.max(...rss), rss.at(-1) ?? 0],
    async [Symbol.asyncDispose]() {
      await plugin.stop();
      outbox.close();
      rmSync(stateDir, { recursive: true });
      await sidecar.close();
      await gateway.stop();
    },
  };
}

interface Health {
  ok: boolean;
  messages: { pending: number };
  commands: Record<string, number>;
}

async function allSettled(branches: readonly Branch[]): Promise<boolean> {
  const all = await Promise.all(branches.map(({ sidecar }) => sidecar.health<Health>()));
  return all.every(({ body: { ok, messages, commands } }) => {
    return ok && messages.pending === 0 && !commands["pending"] && !commands["sending"];
  });
}

function expectEachOnceInOrder(
  written: readonly { id: string; chat: string }[],
  hotbags: HotBags,
  branches: readonly Branch[],
): void {
  const of = (chat: string) => written.filter((one) => one.chat === chat).map(({ id }) => id);
  const sends = branches.flatMap(({ gateway }) => gateway.sends);
  for (const chat of new Set(written.map((one) => one.chat))) {
    expect(hotbags.accepted.filter(({ chat_id }) => chat_id === chat).map(({ message_id }) => message_id)).toEqual(
      of(chat),
    );
    expect(sends.filter(({ to }) => to === chat).map(({ idempotencyKey }) => idempotencyKey)).toEqual(
      of(chat).map((id) => `to-${id}`),
    );
  }
  expect(hotbags.requests).toHaveLength(written.length);
  expect(hotbags.violations).toEqual([]);
}

/** What they say but for times, chats and messages. */
function countKinds(branch: string, lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const kind = `${branch}, ${line.replace(/\S*\d\S*\s?/g, "").slice(0, 70)}`;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** Of a process that there is; Linux tells it. */
function residentMb(pid: number): number | null {
  try {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found === null ? null : Math.round(Number(found[1]) / 1_024);
  } catch {
    return null;
  }
}
