import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { NO_EXTRAS, readCommand } from "../../sidecar/src/commands/index.ts";
import { type Gateway, literal, openGateway } from "../../sidecar/src/gateway/index.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { DEFAULT_BRAKE } from "../../sidecar/src/replies/brake.ts";
import type { Reach } from "../../sidecar/src/replies/fetch-file.ts";
import { Replies } from "../../sidecar/src/replies/replies.ts";
import type { LockedAccount } from "../../sidecar/src/replies/time-locks.ts";
import type { HandOver, RecordedCommand, SharedStore, Store } from "../../sidecar/src/store/index.ts";
import { type Answer, CONNECTED, GATEWAY_TOKEN, ScriptedGateway, type Sent } from "../gateway/scripted-gateway.ts";
import { type HttpsServer, startHttpsServer } from "../https-server.ts";
import { isOnPostgres, openStoreOfTest } from "../shop/store-of-tests.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { lateIfAsked, lateReads } from "./late-reads.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { NOTHING_HELD } from "./nothing-held.ts";

// What waits on the way to WhatsApp, for what, and how long: the real store and the real link to a gateway that
// answers as the test says, by a clock that the test moves.

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const AWAY = { ...CONNECTED, connected: false, healthState: "reconnecting" };

let dir: string;
let clock: SimulatedClock;
let peer: ScriptedGateway;
let running: Awaited<ReturnType<typeof start>>;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-replies-"));
  clock = new SimulatedClock();
  peer = await new ScriptedGateway().start();
  running = await start();
});
afterEach(async () => {
  await stop();
  await peer.stop();
  rmSync(dir, { recursive: true });
});

/** `prepare` finds the store as the last run left it. */
async function start(
  pace = { chatIntervalMs: 0, perMinute: 0 },
  prepare = async (_store: Store) => {},
  reach: Reach | undefined = undefined,
  seen: (store: Store) => SharedStore = lateIfAsked,
) {
  const lines: Record<string, unknown>[] = [];
  const log = openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) });
  const store = await openStoreOfTest(dir, clock);
  await prepare(store);
  const gateway = openGateway({
    url: `ws://127.0.0.1:${peer.port}`,
    token: GATEWAY_TOKEN,
    log,
    timing: { pollMs: 5, reconnectMinMs: 5, reconnectMaxMs: 20 },
    // What the gateway says is fresh by a clock of its own, or it would be stale at each step of ours.
    clock: { now: clock.now, bootMs: clock.bootMs, uptimeMs: () => performance.now() },
  });
  const locks: LockedAccount[] = [];
  const onLock = (lock: LockedAccount) => void locks.push(lock);
  const held = { ...NOTHING_HELD, onLock };
  const from = { store: seen(store), gateway, clock, timers: clock, log, pace };
  const parts = { ...from, ...held, ...(reach && { reach }) };
  const replies = new Replies({ ...parts, random: () => 0.5 });
  await replies.start();
  await connected(gateway);
  return { store, gateway, replies, lines, locks };
}

async function stop() {
  await running.gateway.close();
  await running.replies.stop();
  await running.store.close();
}

async function restart(...how: Parameters<typeof start>) {
  await stop();
  running = await start(...how);
}

const connected = (gateway: Gateway, accountId = "default") =>
  until("WhatsApp is connected", () => gateway.canSend(accountId));

/** Polls of the gateway that have been answered and acted on: what a change sets going has been asked for by then. */
async function looks(count = 3) {
  const polls = () => peer.asked.filter(({ method }) => method === "channels.status").length;
  const before = polls();
  await until("the gateway was asked for its status", () => polls() >= before + count);
}

/** WhatsApp drops, and comes back. */
async function flap() {
  peer.accounts = [AWAY];
  await until("WhatsApp is away", () => !running.gateway.canSend("default"));
  peer.accounts = [CONNECTED];
  await connected(running.gateway);
  await looks();
}

let ids = 0;

/** Hot Bags answers a message of the chat with these texts, and nobody sends them. Resolves with the ids of the commands. */
async function answered(store: Store, chatId: string, texts: string[], details: string | null = null) {
  return await record(store, chatId, texts, details, (_message, write) => write());
}

/** The same, as `by` has it recorded. */
async function record(
  store: Store,
  chatId: string,
  texts: string[],
  details: string | null,
  by: Replies["answer"],
): Promise<{ chat: number; commandIds: string[] }> {
  const id = `m${++ids}`;
  const message = messageOf(id, chatId);
  const { seq, chat } = await store.messages.accept(message);
  const commands = texts.map((text, n) => ({
    commandId: `${id}-${n}`,
    type: "send_text",
    text,
    details,
    payload: text,
    refusal: null,
  }));
  await by({ ...message, chat }, (handOver) => store.messages.delivered(seq, 200, "{}", commands, undefined, handOver));
  return { chat, commandIds: commands.map(({ commandId }) => commandId) };
}

async function reply(chatId: string, ...texts: string[]) {
  const { store, replies } = running;
  const { chat, commandIds } = await record(store, chatId, texts, null, (...how) => replies.answer(...how));
  replies.offer(chat);
  return commandIds;
}

/** A reply of which an earlier run does not know whether it was sent. */
async function doubtful(store: Store, chatId: string, gatewayProcess: string | null) {
  const { chat, commandIds } = await answered(store, chatId, ["was it sent?"]);
  const id = (await store.commands.nextOf(chat))?.id ?? 0;
  await store.commands.sending(id, gatewayProcess);
  await store.commands.settled(id, "in_doubt", { reason: "the link broke", whatsappMessageId: null });
  return { id, key: commandIds[0] ?? "" };
}

/** A store that does not write by this verb before `goOn`. `begun`: it was asked to. */
function holding(verb: "askedInVain" | "settled" | "settledLater") {
  const [begun, may] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const seen = (store: Store): SharedStore => {
    const write: (...args: never[]) => Promise<unknown> = store.commands[verb].bind(store.commands);
    const late = async (...args: never[]) => {
      begun.resolve();
      await may.promise;
      return await write(...args);
    };
    return Object.assign(store, { commands: Object.assign(store.commands, { [verb]: late }) });
  };
  return { seen, begun: begun.promise, goOn: () => may.resolve() };
}

const counts = async () => await running.store.counters();
const keysTo = (chatId: string) =>
  peer.sends.filter(({ to }) => to === chatId).map(({ idempotencyKey }) => idempotencyKey);
const alarms = (about = "") =>
  running.lines.filter(({ alarm, msg }) => alarm === true && String(msg).includes(about)).length;
/** As the operator is told. */
const whyWaits = async (chatId: string) =>
  running.replies.whyWaits((await running.store.operator.chat("default", chatId)) ?? 0);
const sessionOf = (chatId: string) => `agent:main:whatsapp:direct:${chatId}`;
const historiesOf = (chatId: string) =>
  peer.asked.filter(({ method, params }) => method === "chat.history" && params["sessionKey"] === sessionOf(chatId))
    .length;

const ok = ({ idempotencyKey }: Sent): Answer => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
const refusal = (code: string, message: string, more: object = {}): Answer => ({
  ok: false,
  error: { code, message, ...more },
});
const BUSY = refusal("UNAVAILABLE", "The server is busy. Please try again in a moment.", { retryable: true });
const QUEUED = refusal("UNAVAILABLE", "OutboundDeliveryError: No active WhatsApp Web listener", {
  details: { code: "OUTBOUND_DELIVERY_QUEUED" },
});
const FORBIDDEN = refusal("FORBIDDEN", "missing scope: operator.write", { details: { code: "MISSING_SCOPE" } });

/** What is due has been sent, answered and written, and what comes next has been booked. */
const idle = () =>
  until("it is over", () => running.gateway.canSend("default") && running.replies.status.underWay === 0);

/** Lets time pass. What is under way, and what falls due in it, comes to its end before the clock goes on. */
async function pass(ms: number) {
  await idle();
  for (const end = clock.uptimeMs() + ms; clock.uptimeMs() < end; await idle())
    clock.advanceToNext(end - clock.uptimeMs());
}

describe("an account that is taken up while its reply goes out", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("has it sent once and not in doubt, at look %d at the clock", async (nth) => {
    await restart(undefined, undefined, undefined, (store) => lateReads(store, () => 0.5));
    const { store, replies } = running;
    const { chat, commandIds } = await answered(store, ANNA, ["one"]);
    let [left, takenUp]: [number, Promise<void> | undefined] = [nth, undefined];
    const uptimeMs = clock.uptimeMs;
    clock.uptimeMs = () => {
      // In the turn of the microtask queue behind this one.
      if (--left === 0) queueMicrotask(() => (takenUp = replies.takeUp("default")));
      return uptimeMs();
    };
    peer.send = async (sent) => {
      await until("the account is being taken up", () => takenUp !== undefined);
      await takenUp;
      return ok(sent);
    };
    replies.offer(chat);
    await until("it is sent", async () => (await counts()).commands_sent === 1);
    await looks();
    expect([keysTo(ANNA), historiesOf(ANNA), alarms("doubt")]).toEqual([commandIds, 0, 0]);
  });
});

describe("a reply that may go at once", () => {
  /** Notes each command that was recorded before it was handed over. */
  const counting = (begun: number[]) => (store: Store) => {
    const sending = store.commands.sending.bind(store.commands);
    const counted: typeof sending = (id, gatewayProcess) => {
      begun.push(id);
      return sending(id, gatewayProcess);
    };
    return Object.assign(store, { commands: Object.assign(store.commands, { sending: counted }) });
  };

  it("is written as being sent in the commit that records it; those behind it in the answer come after it", async () => {
    const begun: number[] = [];
    await restart(undefined, undefined, undefined, counting(begun));
    await reply(ANNA, "one", "two");
    await until("both are sent", () => peer.sends.length === 2);
    expect(peer.sends.map(({ message }) => message)).toEqual(["one", "two"].map(literal));
    expect(begun).toHaveLength(running.store.messages.handsOver ? 1 : 2);
    await until("that is on disk", async () => (await running.store.counters()).commands_sent === 2);
  });

  it("keeps nobody waiting where it can't be recorded", async () => {
    const message = messageOf("unrecorded", ANNA);
    const { chat } = await running.store.messages.accept(message);
    const failed = running.replies.answer({ ...message, chat }, () => Promise.reject(new Error("the disk is full")));
    await expect(failed).rejects.toThrow("the disk is full");
    await until("nothing is under way", () => running.replies.status.underWay === 0);
    await reply(ANNA, "and now");
    await until("it is sent", () => peer.sends.length === 1);
  });

  it("gives its turn back where there is none", async () => {
    await restart({ chatIntervalMs: 0, perMinute: 1 });
    const message = messageOf("unanswered", ANNA);
    const { chat } = await running.store.messages.accept(message);
    expect(await running.replies.answer({ ...message, chat }, async () => [])).toEqual([]);
    await reply(BEN, "the first of this minute");
    await until("it is sent", () => peer.sends.length === 1);
  });
});

// On PostgreSQL each end is written before the chat's next reply goes: the lease is looked at after the commit.
describe.skipIf(isOnPostgres)("a reply whose end nobody waits for", () => {
  it("has it written in the commit that records the next one and its intent", async () => {
    const recorded = Promise.withResolvers<[HandOver | undefined, RecordedCommand[]]>();
    const next = messageOf("next", ANNA);
    let [answers, chat] = [0, 0];
    const answerMeanwhile = (store: Store): SharedStore => {
      const settledLater = store.commands.settledLater.bind(store.commands);
      const seen: typeof settledLater = (...end) => {
        const written = settledLater(...end);
        if (answers++ === 0) void answer(store);
        return written;
      };
      return Object.assign(store, { commands: Object.assign(store.commands, { settledLater: seen }) });
    };
    async function answer(store: Store) {
      // In this turn of the event loop, but behind all that is done about the reply before.
      for (let hop = 0; hop < 100; hop++) await null;
      const { seq } = await accepted;
      let given: HandOver | undefined;
      const commands = [{ commandId: "two", type: "send_text", text: "two", payload: "two", refusal: null }];
      const made = await running.replies.answer({ ...next, chat }, (handOver) => {
        given = handOver;
        return store.messages.delivered(seq, 200, "{}", commands, undefined, handOver);
      });
      recorded.resolve([given, made]);
    }
    await restart(undefined, undefined, undefined, answerMeanwhile);
    const accepted = running.store.messages.accept(next);
    ({ chat } = await accepted);
    await reply(ANNA, "one");
    await until("both are sent", async () => (await counts()).commands_sent === 2);
    const [given, made] = await recorded.promise;
    expect([given?.behind, made.map(({ outcome }) => outcome)]).toEqual([1, ["sending"]]);
    expect(peer.sends.map(({ message }) => message)).toEqual(["one", "two"].map(literal));
  });

  it("holds the next one back until it is written", async () => {
    const { seen, begun, goOn } = holding("settledLater");
    await restart(undefined, undefined, undefined, seen);
    const keys = await reply(ANNA, "one");
    await begun;
    keys.push(...(await reply(ANNA, "two")), ...(await reply(ANNA, "three")));
    await looks();
    expect([keysTo(ANNA), (await counts()).commands_pending]).toEqual([keys.slice(0, 1), 2]);
    goOn();
    await until("all are sent", async () => (await counts()).commands_sent === 3);
    expect(keysTo(ANNA)).toEqual(keys);
  });

  /** A store that does not write what it could write later. */
  const failing = (store: Store): SharedStore => {
    const settledLater = async () => {
      await new Promise((later) => setTimeout(later, 5));
      throw new Error("the disk is full");
    };
    return Object.assign(store, { commands: Object.assign(store.commands, { settledLater }) });
  };
  const answer = (chatId: string, ...texts: string[]) =>
    record(running.store, chatId, texts, null, (...how) => running.replies.answer(...how));

  it("has it written once more where that failed, though nothing else is to be done in the chat", async () => {
    await restart(undefined, undefined, undefined, failing);
    await answer(ANNA, "one");
    await until("that is on disk", async () => (await counts()).commands_sent === 1);
    expect([peer.sends.length, alarms()]).toEqual([1, 0]);
  });

  it("has it written once more where that failed, though the chat is paused by then", async () => {
    await restart(undefined, undefined, undefined, failing);
    peer.send = async (sent) => {
      await running.replies.pause({ accountId: "default", chatId: ANNA }, { forMs: HOUR_MS, replies: "hold" });
      return ok(sent);
    };
    await answer(ANNA, "one", "two");
    await until("that is on disk", async () => (await counts()).commands_sent === 1);
    expect([peer.sends.length, (await counts()).commands_pending]).toEqual([1, 1]);
  });
});

describe("a chat that the operator pauses", () => {
  const anna = { accountId: "default", chatId: ANNA };
  const held = async () => (await running.store.pauses.list()).map(({ waiting }) => waiting);

  it("is sent nothing until the pause is over, and then all of it, in order; others go on", async () => {
    await running.replies.pause(anna, { forMs: HOUR_MS, replies: "hold" });
    const keys = await reply(ANNA, "one", "two");
    await reply(BEN, "not paused");
    await until("the other is sent", async () => (await counts()).commands_sent === 1);
    await pass(HOUR_MS - SECOND_MS);
    expect([keysTo(ANNA), await held()]).toEqual([[], [2]]);
    await pass(SECOND_MS);
    await until("all are sent", async () => (await counts()).commands_sent === 3);
    expect(keysTo(ANNA)).toEqual(keys);
  });

  it("goes on at once when the operator says so", async () => {
    await running.replies.pause(anna, { forMs: HOUR_MS, replies: "hold" });
    const keys = await reply(ANNA, "one", "two");
    await looks();
    expect(keysTo(ANNA)).toEqual([]);
    expect(await running.replies.resume(anna)).toBe(true);
    await until("all are sent", async () => (await counts()).commands_sent === 2);
    expect(keysTo(ANNA)).toEqual(keys);
    expect(await running.replies.resume(anna)).toBe(false);
  });

  it("gets the same after a restart", async () => {
    await running.replies.pause(anna, { forMs: HOUR_MS, replies: "hold" });
    await reply(ANNA, "one");
    clock.jump(48 * HOUR_MS);
    await restart();
    await looks();
    expect([keysTo(ANNA), await held()]).toEqual([[], [1]]);
  });
});

describe("a chat rests", () => {
  it("for BRIDGE_CHAT_INTERVAL_MS between two replies, whatever the gateway does", async () => {
    await restart({ chatIntervalMs: 5_000, perMinute: 0 });
    const keys = await reply(ANNA, "one", "two");
    await until("the first is sent", async () => (await counts()).commands_sent === 1);
    for (let n = 0; n < 3; n++) {
      await flap();
      keys.push(...(await reply(ANNA, `more ${n}`)));
    }
    await looks();
    expect(keysTo(ANNA)).toEqual(keys.slice(0, 1));
    clock.advance(4_999);
    await looks();
    expect(keysTo(ANNA)).toEqual(keys.slice(0, 1));
    clock.advance(1);
    await until("the second is sent", async () => (await counts()).commands_sent === 2);
    for (let n = 3; n <= keys.length; n++) {
      clock.advance(5_000);
      await until(`reply ${n} is sent`, async () => (await counts()).commands_sent === n);
    }
    expect(keysTo(ANNA)).toEqual(keys);
  });

  it("for BRIDGE_REPLIES_PER_MINUTE, which is the reason that is given", async () => {
    await restart({ chatIntervalMs: 0, perMinute: 2 });
    await reply(ANNA, "one", "two");
    await reply(BEN, "of another chat");
    await until("the first is sent", async () => (await counts()).commands_sent === 1);
    await looks();
    const why = "BRIDGE_REPLIES_PER_MINUTE: the next one of all chats goes in 30 s";
    expect([await whyWaits(ANNA), await whyWaits(BEN)]).toEqual([why, why]);
  });

  it("also when it had nothing more to say at first", async () => {
    await restart({ chatIntervalMs: 5_000, perMinute: 0 });
    const keys = await reply(ANNA, "one");
    await until("it is sent", async () => (await counts()).commands_sent === 1);
    keys.push(...(await reply(ANNA, "two")));
    await flap();
    expect(keysTo(ANNA)).toEqual(keys.slice(0, 1));
    clock.advance(5_000);
    await until("the second is sent", async () => (await counts()).commands_sent === 2);
  });

  it("and all of them for as long as the gateway asks for", async () => {
    peer.send = () =>
      refusal("UNAVAILABLE", "rate limit exceeded for send; retry after 30s", {
        retryable: true,
        retryAfterMs: 30_000,
        details: { limit: "30 per 60s" },
      });
    const keys = await reply(ANNA, "one");
    await until("it is refused", async () => (await counts()).commands_pending === 1 && peer.sends.length === 1);
    peer.send = ok;
    await flap();
    keys.push(...(await reply(ANNA, "two")));
    await reply(BEN, "of another chat");
    await flap();
    const why = "the gateway wants no replies for a while: the next one of all chats goes in 30 s";
    expect([await whyWaits(ANNA), await whyWaits(BEN)]).toEqual([why, why]);
    clock.advance(29_000);
    await looks();
    expect(peer.sends).toHaveLength(1);
    clock.advance(1_000);
    await until("all are sent", async () => (await counts()).commands_sent === 3);
    expect(keysTo(ANNA)).toEqual([keys[0], ...keys]);
  });

  it("while its account is not connected, and no other", async () => {
    peer.accounts = [AWAY];
    await until("WhatsApp is away", () => !running.gateway.canSend("default"));
    const keys = await reply(ANNA, "one", "two");
    await looks();
    expect(peer.sends).toEqual([]);
    peer.send = ok;
    peer.accounts = [CONNECTED];
    await until("they are sent", async () => (await counts()).commands_sent === 2);
    expect(keysTo(ANNA)).toEqual(keys);
  });
});

describe("a reply that the gateway does not take", () => {
  it("is tried again after waits that grow, and goes out in order, once, when the gateway takes it", async () => {
    peer.send = () => BUSY;
    const keys = await reply(ANNA, "one", "two");
    await until("it was tried", async () => peer.sends.length === 1 && (await counts()).commands_pending === 2);
    await pass(HOUR_MS);
    // Half of 1, 2, 4 … 60 s: as many waits as fit into an hour, where one every 2 s would be 1,800.
    expect(peer.sends.length).toBeGreaterThan(100);
    expect(peer.sends.length).toBeLessThan(130);
    expect(alarms()).toBe(0);
    peer.send = ok;
    await pass(MINUTE_MS);
    await until("both are sent", async () => (await counts()).commands_sent === 2);
    expect(keysTo(ANNA).slice(-2)).toEqual(keys);
    expect(new Set(keysTo(ANNA).slice(0, -2))).toEqual(new Set(keys.slice(0, 1)));
    // What follows does not inherit the waits.
    peer.send = () => BUSY;
    const before = peer.sends.length;
    await reply(ANNA, "three");
    await until(
      "it was tried",
      async () => peer.sends.length === before + 1 && (await counts()).commands_pending === 1,
    );
    await pass(2 * SECOND_MS);
    expect(peer.sends.length).toBeGreaterThan(before + 1);
  }, 60_000);

  it("blocks no other chat", async () => {
    peer.send = (sent) => (sent.to === ANNA ? BUSY : ok(sent));
    await reply(ANNA, "one");
    await until("it was tried", async () => peer.sends.length === 1 && (await counts()).commands_pending === 1);
    await reply(BEN, "of another chat");
    await until("the other is sent", async () => (await counts()).commands_sent === 1);
  });

  it("is alarmed once, shown with what to do, and tried slowly where only the operator can help", async () => {
    peer.send = () => FORBIDDEN;
    const keys = await reply(ANNA, "one", "two");
    await reply(BEN, "of another chat");
    await until(
      "both chats were tried",
      async () => peer.sends.length === 2 && (await counts()).commands_sending === 0,
    );
    await pass(2 * HOUR_MS);
    // Each chat half of 1, 2, 4, 8, 15, 15 … minutes.
    expect(peer.sends.length).toBeLessThan(2 * 24);
    expect(peer.sends.length).toBeGreaterThan(2 * 10);
    expect(alarms()).toBe(1);
    expect(alarms("OPENCLAW_GATEWAY_TOKEN")).toBe(1);
    // One line for each attempt: that alarm, too, is of one.
    const told = () => running.lines.filter(({ msg }) => /replies wait|will be tried again/.test(String(msg)));
    await until("each attempt is told", () => told().length === peer.sends.length);
    expect(running.replies.status.problems).toHaveLength(1);
    expect(running.replies.status.problems[0]).toContain("OPENCLAW_GATEWAY_TOKEN");
    expect(JSON.stringify(running.replies.status.problems)).not.toContain("555");
    expect(await counts()).toMatchObject({ commands_pending: 3, commands_failed: 0 });

    // The operator corrects it, and restarts the gateway.
    peer.send = ok;
    const before = keysTo(ANNA).length;
    await peer.restartAs("boot-2");
    await until("all are sent", async () => (await counts()).commands_sent === 3);
    expect(keysTo(ANNA).slice(before)).toEqual(keys);
    expect(running.replies.status.problems).toEqual([]);
  }, 60_000);

  it("is alarmed about again when the same comes back after it had passed", async () => {
    peer.send = () => refusal("INVALID_REQUEST", "unsupported channel: whatsapp");
    await reply(ANNA, "one");
    await until("an alarm", () => alarms() === 1);
    expect(running.replies.status.problems[0]).toContain("plugin");
    peer.send = ok;
    await pass(MINUTE_MS);
    await until("it is sent", async () => (await counts()).commands_sent === 1);
    peer.send = () => refusal("INVALID_REQUEST", "unsupported channel: whatsapp");
    await reply(ANNA, "two");
    await until("another alarm", () => alarms() === 2);
  });
});

/** What the plugin says of a text. */
const about = (chatId: string, text: string) => {
  const textSha256 = createHash("sha256").update(literal(text)).digest("hex");
  return { accountId: "default", chatId, textSha256, at: clock.now() };
};
const seenSent = (chatId: string, text: string) =>
  running.replies.observe({ ...about(chatId, text), whatsappMessageId: `WA-${text}` });
const dropped = (chatId: string, text: string, reason = "delivery retry budget exhausted") =>
  running.replies.dropped({ ...about(chatId, text), reason });

describe("a reply that OpenClaw has put into its own queue", () => {
  const queued = (count = 1) =>
    until(
      "it is in OpenClaw's queue",
      async () => (await counts()).commands_queued_by_gateway === count && (await counts()).commands_sending === 0,
    );

  it("is followed until OpenClaw was seen to send it; what follows in its chat waits, and no other chat", async () => {
    peer.send = () => QUEUED;
    const keys = await reply(ANNA, "one", "two");
    await queued();
    peer.send = ok;
    await reply(BEN, "of another chat");
    await until("the other is sent", async () => (await counts()).commands_sent === 1);
    await pass(2 * MINUTE_MS);
    expect(keysTo(ANNA)).toEqual(keys.slice(0, 1));
    expect(running.replies.status.handovers).toEqual({ count: 1, longestWaitMs: 2 * MINUTE_MS });
    seenSent(ANNA, "one");
    await until("both are sent", async () => (await counts()).commands_sent === 3);
    expect(keysTo(ANNA)).toEqual(keys);
    expect(await counts()).toMatchObject({
      commands_queued_by_gateway: 0,
      replies_sent_from_queue: 1,
      replies_dropped: 0,
    });
    expect(running.replies.status.handovers).toEqual({ count: 0, longestWaitMs: 0 });
  });

  it("is found in the gateway's transcript where the plugin could not tell", async () => {
    peer.send = () => QUEUED;
    peer.history = () => [];
    const [key = ""] = await reply(ANNA, "one");
    await queued();
    await until("it waits to be looked for", () => running.replies.status.underWay === 0);
    peer.history = () => [key];
    clock.advance(30_000);
    await until("it counts as sent", async () => (await counts()).commands_sent === 1);
    expect(await counts()).toMatchObject({ commands_queued_by_gateway: 0, replies_sent_from_queue: 1 });
  });

  it("is ours again when OpenClaw has dropped it unsent, and goes out once, in its order", async () => {
    peer.send = () => QUEUED;
    const keys = await reply(ANNA, "one", "two");
    await queued();
    peer.send = ok;
    dropped(ANNA, "another text");
    dropped(BEN, "one");
    await looks();
    expect((await counts()).replies_dropped).toBe(0);
    dropped(ANNA, "one");
    // Until then the gateway would only repeat its answer.
    await pass(6 * MINUTE_MS);
    expect(keysTo(ANNA)).toEqual(keys.slice(0, 1));
    await pass(MINUTE_MS);
    await until("both are sent", async () => (await counts()).commands_sent === 2);
    expect(keysTo(ANNA)).toEqual([keys[0], ...keys]);
    expect(await counts()).toMatchObject({
      commands_queued_by_gateway: 0,
      replies_sent_from_queue: 0,
      replies_dropped: 1,
    });
    expect((await running.store.failures()).reply_dropped).toMatchObject({
      reason: "OpenClaw gave it up, unsent",
    });
  });

  it("is ours again also where OpenClaw has dropped it before it could be written down that it had it", async () => {
    const settled = holding("settled");
    await restart(undefined, undefined, undefined, settled.seen);
    peer.send = () => QUEUED;
    const [key = ""] = await reply(ANNA, "one");
    await settled.begun;
    dropped(ANNA, "one");
    peer.send = ok;
    settled.goOn();
    await queued();
    await pass(7 * MINUTE_MS);
    await until("it is sent", async () => (await counts()).commands_sent === 1);
    expect(keysTo(ANNA)).toEqual([key, key]);
    expect(await counts()).toMatchObject({ commands_in_doubt: 0, replies_dropped: 1 });
  });

  it("is in doubt when OpenClaw gave it up and may have sent it, and never goes out again by itself", async () => {
    peer.send = () => QUEUED;
    peer.history = () => [];
    const [key] = await reply(ANNA, "one", "two");
    await queued();
    peer.send = ok;
    dropped(ANNA, "one", "delivery state is unknown_after_send; refusing blind replay without adapter reconciliation");
    await until("what follows is sent", async () => (await counts()).commands_sent === 1);
    await until("the operator is told", () => alarms("in doubt") === 1);
    expect(await counts()).toMatchObject({ commands_queued_by_gateway: 0, commands_in_doubt: 1, replies_dropped: 1 });
    expect(keysTo(ANNA).filter((sent) => sent === key)).toHaveLength(1);
  });

  it("is in doubt when the gateway has run for 20 minutes and nothing tells", async () => {
    peer.send = () => QUEUED;
    peer.history = () => [];
    const keys = await reply(ANNA, "one", "two");
    await queued();
    peer.send = ok;
    await pass(19 * MINUTE_MS);
    // Another process of the gateway has the queue from the disk, and tries as often.
    await peer.restartAs("boot-2");
    await connected(running.gateway);
    await pass(19 * MINUTE_MS);
    expect((await counts()).commands_queued_by_gateway).toBe(1);
    await pass(2 * MINUTE_MS);
    await until("the operator is told", () => alarms("in doubt") === 1);
    await until("what follows is sent", async () => (await counts()).commands_sent === 1);
    expect(await counts()).toMatchObject({ commands_queued_by_gateway: 0, commands_in_doubt: 1, replies_dropped: 0 });
    expect(keysTo(ANNA)).toEqual(keys);
  });

  it("is followed over a restart", async () => {
    peer.send = () => QUEUED;
    const keys = await reply(ANNA, "one", "two");
    await queued();
    peer.send = ok;
    await restart();
    await looks();
    expect(keysTo(ANNA)).toEqual(keys.slice(0, 1));
    await pass(12 * MINUTE_MS);
    dropped(ANNA, "one");
    await until("both are sent", async () => (await counts()).commands_sent === 2);
    expect(keysTo(ANNA)).toEqual([keys[0], ...keys]);
  });

  it("keeps what it was told of its end when the sidecar is stopped", async () => {
    peer.send = () => QUEUED;
    const [key = ""] = await reply(ANNA, "one");
    await queued();
    await pass(12 * MINUTE_MS);
    dropped(ANNA, "one");
    peer.send = ok;
    await restart();
    await until("it is sent", async () => (await counts()).commands_sent === 1);
    expect(keysTo(ANNA)).toEqual([key, key]);
  });

  it("is not taken for dropped where OpenClaw may mean another reply of the same words", async () => {
    peer.history = () => [];
    await restart(undefined, async (store) => {
      await doubtful(store, ANNA, "boot-0");
    });
    peer.send = () => QUEUED;
    const keys = await reply(ANNA, "was it sent?");
    await queued();
    peer.send = ok;
    await pass(12 * MINUTE_MS);
    dropped(ANNA, "was it sent?");
    await until("it is in doubt", async () => (await counts()).commands_in_doubt === 2);
    await pass(MINUTE_MS);
    expect(keysTo(ANNA)).toEqual(keys);
  });
});

describe("a number that WhatsApp has locked", () => {
  const GROUP = "120363000000000001@g.us";
  const locked = (until: number | null): Answer => {
    const end = until === null ? "" : `, until=${new Date(until).toISOString()}`;
    const message = `OutboundDeliveryError: WhatsApp reachout timelock is active; direct messages are temporarily blocked (type=BIZ_QUALITY${end})`;
    return refusal("UNAVAILABLE", message, { details: { code: "OUTBOUND_DELIVERY_QUEUED" } });
  };
  /** OpenClaw lets groups be answered, and the second account. */
  const lockDirectChats = (until: number | null) => {
    peer.send = (sent) => (sent.to === GROUP || sent.accountId !== "default" ? ok(sent) : locked(until));
  };
  const held = (count: number) => until(`${count} wait here`, async () => (await counts()).commands_pending === count);

  it("holds the replies to its direct chats until its end; then one goes first, and the others when that was taken", async () => {
    const end = clock.now() + 20 * MINUTE_MS;
    lockDirectChats(end);
    const [canary = ""] = await reply(ANNA, "one");
    await until("OpenClaw has it", async () => (await counts()).commands_queued_by_gateway === 1);
    expect(running.locks).toEqual([expect.objectContaining({ account: "default", until: end, kind: "BIZ_QUALITY" })]);

    const [other = ""] = await reply(BEN, "two");
    const [third = ""] = await reply("+15550003000", "three");
    await reply(GROUP, "to a group");
    await until("the group is answered", async () => (await counts()).commands_sent === 1);
    await held(2);
    await until("it is in /health", () => running.replies.status.problems[0]?.includes("2 chats") === true);
    expect(running.replies.status.problems).toEqual([
      expect.stringContaining(
        `locked account default (reach-out time lock, BIZ_QUALITY), until ${new Date(end).toISOString()}`,
      ),
    ]);

    await pass(13 * MINUTE_MS);
    dropped(ANNA, "one");
    await held(3);
    await pass(6 * MINUTE_MS);
    expect(peer.sends.map(({ idempotencyKey }) => idempotencyKey)).not.toContain(other);
    const answer = Promise.withResolvers<void>();
    peer.send = async (sent) => {
      await answer.promise;
      return ok(sent);
    };
    const before = peer.sends.length;
    clock.advance(MINUTE_MS);
    await until("one is tried", () => peer.sends.length === before + 1);
    await looks();
    expect(peer.sends).toHaveLength(before + 1);
    answer.resolve();
    await until("all are sent", async () => (await counts()).commands_sent === 4);
    const keys = peer.sends.map(({ idempotencyKey }) => idempotencyKey);
    expect(keys.filter((key) => key === canary)).toHaveLength(2);
    expect(keys.filter((key) => key === other || key === third)).toHaveLength(2);
    expect(running.replies.status.problems).toEqual([]);
    expect(running.locks).toHaveLength(1);
  });

  it("is tried every half an hour while its end is not known", async () => {
    lockDirectChats(null);
    await reply(ANNA, "one");
    await until("OpenClaw has it", async () => (await counts()).commands_queued_by_gateway === 1);
    await reply(BEN, "two");
    await held(1);
    await pass(29 * MINUTE_MS);
    expect(keysTo(BEN)).toEqual([]);
    await pass(2 * MINUTE_MS);
    await until("it was tried", () => keysTo(BEN).length === 1);
  });

  it("is open again as soon as OpenClaw has sent a reply from its queue", async () => {
    lockDirectChats(clock.now() + 24 * HOUR_MS);
    await reply(ANNA, "one");
    await until("OpenClaw has it", async () => (await counts()).commands_queued_by_gateway === 1);
    await reply(BEN, "two");
    await held(1);
    peer.send = ok;
    seenSent(ANNA, "one");
    await until("both are sent", async () => (await counts()).commands_sent === 2);
    expect(running.replies.status.problems).toEqual([]);
  });
});

describe("the brake", () => {
  it("counts what the run before has sent, and not what a clock that was set back takes for the future", async () => {
    const replies = Array.from({ length: DEFAULT_BRAKE.perMinute }, (_, n) => `reply ${n}`);
    await reply(ANNA, ...replies);
    for (const n of replies.keys()) await until(`reply ${n} is sent`, async () => (await counts()).commands_sent > n);
    await restart();
    const [held] = await reply(ANNA, "one more");
    await looks();
    expect(keysTo(ANNA)).not.toContain(held);
    await stop();
    clock.jump(-20 * 3_600_000);
    running = await start();
    await until("it is sent", () => keysTo(ANNA).includes(held ?? ""));
  });
});

describe("what is in the outbox", () => {
  const limits = { pace: { chatIntervalMs: 0, perMinute: 0 }, ...NOTHING_HELD };
  const rules = { mode: "any", knownMs: HOUR_MS, newChatsPerDay: 100, hasAccount: () => true } as const;

  /** Hot Bags sends these of itself, each to a chat. */
  async function outbox(...chats: string[]) {
    const { store, replies } = running;
    const after = await store.outbound.cursorOf("/");
    const commands = chats.map((chatId, n) => {
      const id = `outbox-${after}-${n}`;
      return {
        accountId: "default",
        chatId,
        command: readCommand({ command_id: id, type: "send_text", text: id }, NO_EXTRAS),
      };
    });
    const cursor = String(Number(after) + chats.length);
    const recorded = await store.outbound.take({ path: "/", after, cursor, commands }, rules);
    for (const { chat } of recorded) replies.offer(chat);
    return recorded.map(({ commandId }) => commandId);
  }

  it("goes out in its chat's order, behind what is answered there", async () => {
    await running.replies.pause({ accountId: "default", chatId: ANNA }, { forMs: HOUR_MS, replies: "hold" });
    const first = await reply(ANNA, "one");
    const late = await outbox(ANNA, ANNA);
    const last = await reply(ANNA, "two");
    await running.replies.resume({ accountId: "default", chatId: ANNA });
    await until("all are sent", async () => (await counts()).commands_sent === 4);
    expect(keysTo(ANNA)).toEqual([...first, ...late, ...last]);
  });

  it("waits for its account's pace, while other chats are answered; and goes at once where that is lifted", async () => {
    running.replies.adopt({ ...limits, outbound: { isOn: true, perMinute: 2 } });
    const chats = ["+15550002001", "+15550002002", "+15550002003", "+15550002004"];
    await outbox(...chats);
    await reply(BEN, "an answer");
    await until("the answer and one more are sent", async () => (await counts()).commands_sent === 2);
    await looks();
    const went = peer.sends.map(({ to }) => to);
    const [waits = ""] = chats.filter((chat) => !went.includes(chat));
    expect([went.length, went.includes(BEN)]).toEqual([2, true]);
    expect(await whyWaits(waits)).toMatch(/BRIDGE_OUTBOUND_PER_MINUTE: .* in 30 s/);
    await pass(30 * SECOND_MS);
    await until("the next one is sent", async () => (await counts()).commands_sent === 3);
    running.replies.adopt(limits);
    await until("all are sent", async () => (await counts()).commands_sent === 5);
  });

  it("is refused, and said so, where it is switched off meanwhile; the chat goes on", async () => {
    running.replies.adopt({ ...limits, outbound: { isOn: true, perMinute: 1 } });
    await outbox("+15550002001");
    await until("one is sent", async () => (await counts()).commands_sent === 1);
    await outbox(ANNA);
    const [answer] = await reply(ANNA, "an answer");
    running.replies.adopt({ ...limits, outbound: { isOn: false, perMinute: 1 } });
    await until("the answer is sent", () => keysTo(ANNA).length === 1);
    expect(keysTo(ANNA)).toEqual([answer]);
    await until("that is on record", async () => (await counts()).commands_sent === 2);
    expect(await counts()).toMatchObject({ commands_failed: 1 });
    expect(alarms("BRIDGE_OUTBOUND=off")).toBe(1);
  });

  it("is in doubt like a reply, and is not sent again", async () => {
    peer.history = () => [];
    // It is another process when it is there again, which knows no key: this one would be asked by it.
    peer.send = () => {
      peer.bootId = "boot-2";
      return "hang up";
    };
    await outbox(ANNA);
    await until("the operator is told", () => alarms("in doubt") === 1);
    expect(await counts()).toMatchObject({ commands_in_doubt: 1, commands_pending: 0 });
    expect(keysTo(ANNA)).toHaveLength(1);
  });
});

describe("a doubt", () => {
  const LAST_RUN = "boot-0";

  it("is asked about once a gateway process, and alarmed once, over restarts of both", async () => {
    peer.history = () => [];
    let id = 0;
    await restart(undefined, async (store) => {
      id = (await doubtful(store, ANNA, LAST_RUN)).id;
    });
    const asked = async (process: string) => (await running.store.commands.doubt(id))?.asked_process === process;
    await until("it is written that the process was asked", () => asked("boot-1"));
    expect([historiesOf(ANNA), alarms("in doubt")]).toEqual([1, 1]);
    await flap();
    expect([historiesOf(ANNA), alarms()]).toEqual([1, 1]);
    await restart();
    await reply(BEN, "the sidecar is at work");
    await until("it is sent", async () => (await counts()).commands_sent === 1);
    await looks();
    expect([historiesOf(ANNA), alarms()]).toEqual([1, 0]);
    await peer.restartAs("boot-2");
    await until("it is written that the new process was asked", () => asked("boot-2"));
    expect([historiesOf(ANNA), alarms()]).toEqual([2, 0]);
    await restart();
    await flap();
    expect([historiesOf(ANNA), alarms()]).toEqual([2, 0]);
    expect((await counts()).commands_in_doubt).toBe(1);
  });

  it("is settled by a process that was asked later", async () => {
    let key = "";
    peer.history = () => [];
    await restart(undefined, async (store) => {
      key = (await doubtful(store, ANNA, LAST_RUN)).key;
    });
    await until("the alarm", () => alarms("in doubt") === 1);
    peer.history = () => [key];
    await peer.restartAs("boot-2");
    await until("it is settled", async () => (await counts()).commands_sent === 1);
    expect(peer.sends).toEqual([]);
  });

  it("is settled by a process that begins while it is written down that the one before it had no proof", async () => {
    let key = "";
    const vain = holding("askedInVain");
    peer.history = () => [];
    const prepare = async (store: Store) => {
      key = (await doubtful(store, ANNA, LAST_RUN)).key;
    };
    await restart(undefined, prepare, undefined, vain.seen);
    await vain.begun;
    peer.history = () => [key];
    await peer.restartAs("boot-2");
    await until("the second one is known", () => running.gateway.process?.id === "boot-2");
    await looks();
    vain.goOn();
    await until("it is settled", async () => (await counts()).commands_sent === 1);
    expect(peer.sends).toEqual([]);
  });

  it("makes no reply wait that it can't be overtaken by, and never for the doubts of other chats", async () => {
    const others = Array.from({ length: 100 }, (_, n) => `+155500020${String(n).padStart(2, "0")}`);
    // The transcripts of the others are never read to their end.
    peer.history = (session) => (session === sessionOf(ANNA) ? [] : new Promise(() => {}));
    await restart(undefined, async (store) => {
      await Promise.all(others.slice(0, 7).map((chat) => doubtful(store, chat, "boot-1")));
      await doubtful(store, ANNA, "boot-1");
      await Promise.all(others.slice(7).map((chat) => doubtful(store, chat, LAST_RUN)));
    });
    const [old = ""] = others.slice(-1);
    await reply(ANNA, "after a doubt of this very process");
    await reply(old, "after a doubt of an earlier process");
    await reply(BEN, "after none");
    const sent = (chatId: string, count: number) => keysTo(chatId).length >= count;
    await until("the chat without a doubt goes on", () => sent(BEN, 1));
    await until("the chat with an old doubt goes on", () => sent(old, 1));
    // That one is asked for first: if it did not get through the first time, it is sent now, before what follows.
    await until("the chat with the doubt goes on", () => sent(ANNA, 2));
    expect(keysTo(ANNA)[0]).not.toBe(keysTo(ANNA)[1]);
  });

  it("is proven by what was seen while another answer of its chat was written down", async () => {
    peer.history = () => [];
    await restart(undefined, async (store) => void (await doubtful(store, ANNA, LAST_RUN)));
    await until("nobody is left to ask for it", () => alarms() === 1);
    const message = messageOf("asked again", ANNA);
    const { chat } = await running.store.messages.accept(message);
    await running.replies.answer({ ...message, chat }, async () => {
      seenSent(ANNA, "was it sent?");
      return [];
    });
    await until("the doubt is settled", async () => (await counts()).commands_sent === 1);
  });

  it("is not asked for again when the gateway has forgotten it, though the clock was set back meanwhile", async () => {
    peer.history = () => [];
    await restart(undefined, async (store) => {
      await doubtful(store, ANNA, "boot-1");
      clock.advance(400_000);
      clock.jump(-200_000);
    });
    await until("the operator is told", () => alarms("in doubt") === 1);
    expect([peer.sends, (await counts()).commands_in_doubt]).toEqual([[], 1]);
  });

  it("is not resolved by the operator while it is asked for again, which may send it", async () => {
    peer.history = () => [];
    const answer = Promise.withResolvers<Answer>();
    const answers = ["hang up" as const, answer.promise];
    peer.send = () => answers.shift() ?? "nothing";
    await reply(ANNA, "one");
    await until("it is asked for again", () => peer.sends.length === 2);
    const [again] = peer.sends.slice(-1);
    const resolved: string[] = [];
    const resolve = () => running.replies.resolving(1, async () => resolved.push("by the operator"));
    expect(await resolve()).toBeNull();
    expect(resolved).toEqual([]);
    answer.resolve(ok(again as Sent));
    // That it is sent is on record a moment before nobody is asked any more.
    await until("he may", async () => (await resolve()) !== null);
    expect(await counts()).toMatchObject({ commands_sent: 1 });
    expect(resolved).toEqual(["by the operator"]);
  });

  it("that could still be sent by asking again comes before what follows in its chat", async () => {
    peer.history = () => [];
    const answers: Answer[] = ["hang up"];
    peer.send = (sent) => answers.shift() ?? ok(sent);
    const [first, second] = await reply(ANNA, "one", "two");
    await until("both are settled", async () => (await counts()).commands_sent === 2);
    expect(keysTo(ANNA)).toEqual([first, first, second]);
    expect(alarms()).toBe(0);
  });
});

// By a trigger of SQLite; of PostgreSQL it is shown by test/fleet/faults.test.ts, where the server is killed.
if (!isOnPostgres)
  it("keeps a reply's outcome that can't be written, and sends nothing twice", async () => {
    peer.send = ok;
    await reply(ANNA, "one");
    await until("it is sent", async () => (await counts()).commands_sent === 1);
    const tables = new Database(join(dir, "bridge.sqlite"), { timeout: 0 });
    peer.send = (sent) => {
      tables.exec("CREATE TRIGGER full BEFORE UPDATE ON commands BEGIN SELECT RAISE(ABORT, 'no'); END");
      return ok(sent);
    };
    const keys = await reply(ANNA, "two", "three");
    await until("the outcome can't be written", () => alarms() > 0);
    for (let n = 0; n < 5; n++) {
      clock.advance(MINUTE_MS);
      await looks();
    }
    expect(await counts()).toMatchObject({ commands_sending: 1, commands_sent: 1 });
    peer.send = ok;
    tables.exec("DROP TRIGGER full");
    tables.close();
    await until("all are sent", async () => {
      clock.advance(MINUTE_MS);
      return (await counts()).commands_sent === 3;
    });
    expect(keysTo(ANNA).slice(1)).toEqual(keys);
  });

describe("a reply that says more than its text", () => {
  const paramsTo = (chatId: string) =>
    peer.asked.filter(({ method, params }) => method === "send" && params["to"] === chatId).map(({ params }) => params);

  it("has the gateway quote a message", async () => {
    const { chat } = await answered(running.store, ANNA, ["this one"], '{"reply_to":"A1"}');
    running.replies.offer(chat);
    await until("it is sent", async () => (await counts()).commands_sent === 1);
    expect(paramsTo(ANNA)).toMatchObject([{ replyToId: "A1" }]);
  });

  it("is not sent where that can't be read, and its chat goes on", async () => {
    await answered(running.store, ANNA, ["this one"], '{"reply_to":7}');
    await reply(ANNA, "the next");
    await until("it was tried", async () => (await whyWaits(ANNA)) !== null);
    await until("the next is sent", async () => {
      clock.advance(SECOND_MS);
      return (await counts()).commands_sent === 1;
    });
    expect(paramsTo(ANNA)).toMatchObject([{ message: literal("the next") }]);
    expect(await counts()).toMatchObject({ commands_failed: 1, commands_pending: 0, commands_sending: 0 });
  });
});

describe("a reaction", () => {
  const actions = () => peer.asked.filter(({ method }) => method === "message.action").map(({ params }) => params);

  /** Hot Bags reacts to the last message of the chat. */
  async function react(store: Store, chatId: string) {
    const id = `r${++ids}`;
    const { seq, chat } = await store.messages.accept(messageOf(id, chatId));
    const command = { commandId: `${id}-0`, type: "react", text: "👍", details: "{}", payload: id, refusal: null };
    await store.messages.delivered(seq, 200, "{}", [command]);
    return { id, chat };
  }

  it("whose answer was lost is asked for again with its key, where that can't react twice", async () => {
    const answers: Answer[] = ["hang up"];
    peer.send = (params) => answers.shift() ?? ok(params);
    const { id, chat } = await react(running.store, ANNA);
    running.replies.offer(chat);
    await until("it is known that it was sent", async () => (await counts()).commands_sent === 1);
    const asked = {
      ...{ channel: "whatsapp", accountId: "default", idempotencyKey: `${id}-0` },
      ...{ action: "react", conversationReadOrigin: "direct-operator" },
      params: { messageId: id, emoji: "👍", chatJid: ANNA },
    };
    expect(actions()).toEqual([asked, asked]);
  });

  it("is proven by no text of the same words", async () => {
    let id = 0;
    peer.history = () => [];
    await restart(undefined, async (store) => {
      const { chat } = await react(store, ANNA);
      id = (await store.commands.nextOf(chat))?.id ?? 0;
      await store.commands.sending(id, "boot-0");
      await store.commands.settled(id, "in_doubt", { reason: "the link broke", whatsappMessageId: null });
    });
    const textSha256 = createHash("sha256").update(literal("👍")).digest("hex");
    const observed = { accountId: "default", chatId: ANNA, textSha256, at: clock.now(), whatsappMessageId: "WA-1" };
    running.replies.observe(observed);
    await reply(ANNA, "a text");
    await until("that is sent", async () => (await counts()).commands_sent === 1);
    await until("the alarm", () => alarms("in doubt") === 1);
    expect(await counts()).toMatchObject({ commands_in_doubt: 1, commands_sent: 1 });
  });
});

describe("a file at a URL", () => {
  let shop: HttpsServer;
  beforeAll(async () => {
    shop = await startHttpsServer();
  });
  afterAll(() => shop.close());
  beforeEach(async () => {
    shop.asked = [];
    shop.answer = (_, response) => response.writeHead(200, { "content-type": "application/pdf" }).end("prices");
    await restart(undefined, undefined, { isAllowed: () => true, ca: shop.ca });
  });

  /** Hot Bags answers with the file at this path of the shop's, and then a text. */
  async function sendFile(chatId: string, path: string) {
    const id = `f${++ids}`;
    const { seq, chat } = await running.store.messages.accept(messageOf(id, chatId));
    const details = JSON.stringify({ url: `${shop.origin}${path}` });
    const common = { payload: id, refusal: null };
    await running.store.messages.delivered(seq, 200, "{}", [
      { ...common, commandId: `${id}-0`, type: "send_media", text: "the prices", details },
      { ...common, commandId: `${id}-1`, type: "send_text", text: "as you see" },
    ]);
    running.replies.offer(chat);
  }
  const isSettled = async () => (await counts()).commands_pending + (await counts()).commands_sending === 0;

  it("is fetched when it is its turn, then sent; its chat waits for it, and no other chat", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<() => void>();
    const serve = shop.answer;
    shop.answer = (request, response) => ask(() => serve(request, response));
    await sendFile(ANNA, "/prices.pdf");
    const deliver = await asked;
    await reply(BEN, "no file");
    await until("the other is sent", async () => (await counts()).commands_sent === 1);
    expect([keysTo(ANNA), await whyWaits(ANNA)]).toEqual([[], "its file is being fetched"]);
    // Not before it is here: a crash now leaves no doubt.
    expect(await counts()).toMatchObject({ commands_pending: 2, commands_sending: 0 });
    deliver();
    await until("both are sent", async () => (await counts()).commands_sent === 3);
    const [file, text] = peer.asked.filter(({ params }) => params["to"] === ANNA).map(({ params }) => params);
    const buffer = Buffer.from("prices").toString("base64");
    expect(file).toMatchObject({ message: literal("the prices"), buffer, contentType: "application/pdf" });
    expect(text).toMatchObject({ message: literal("as you see") });
  });

  it("waits for two others at the most, and then for its turn", async () => {
    const { promise: done, resolve: deliver } = Promise.withResolvers<void>();
    const serve = shop.answer;
    shop.answer = (request, response) => void done.then(() => serve(request, response));
    for (const chat of [ANNA, BEN, "+15550001003"]) await sendFile(chat, "/prices.pdf");
    await until("two are asked for", () => shop.asked.length === 2);
    await until("all wait for it", async () => (await whyWaits("+15550001003")) === "its file is being fetched");
    expect(shop.asked).toHaveLength(2);
    deliver();
    await until("all are sent", async () => (await counts()).commands_sent === 6);
    expect(shop.asked).toHaveLength(3);
  });

  it("that can't be had is a failure with an alarm, no doubt, and its chat goes on; the log does not name it", async () => {
    shop.answer = (_, response) => response.writeHead(404).end();
    await sendFile(ANNA, "/secret-path");
    await until("the text is sent", async () => (await counts()).commands_sent === 1);
    expect(await counts()).toMatchObject({ commands_failed: 1, commands_in_doubt: 0, commands_pending: 0 });
    expect(alarms("its file could not be fetched: it was answered with 404")).toBe(1);
    expect(JSON.stringify(running.lines)).not.toContain("secret-path");
  });

  it("is asked for again where it may be had a moment later", async () => {
    const serve = shop.answer;
    shop.answer = (request, response) =>
      shop.asked.length < 3 ? response.writeHead(503).end() : serve(request, response);
    await sendFile(ANNA, "/prices.pdf");
    await until("all is sent", () => {
      clock.advance(SECOND_MS);
      return isSettled();
    });
    expect([shop.asked.length, (await counts()).commands_sent]).toEqual([3, 2]);
  });

  it("of a type that can't be sent is refused, which is known only then", async () => {
    shop.answer = (_, response) => response.writeHead(200, { "content-type": "audio/mpeg" }).end("a song");
    await sendFile(ANNA, "/song.mp3");
    await until("the text is sent", async () => (await counts()).commands_sent === 1);
    expect(await counts()).toMatchObject({ commands_failed: 1, commands_in_doubt: 0, commands_pending: 0 });
    expect(keysTo(ANNA)).toHaveLength(1);
  });
});
