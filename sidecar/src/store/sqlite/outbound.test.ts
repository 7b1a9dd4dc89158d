import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DeliveryReport, deliveryReport } from "@hotbags/shared";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, BEN, messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { NO_EXTRAS, readOutbound } from "../../commands/index.ts";
import { makeRestored, type OutboundRules, openStore, type Store } from "../index.ts";

// What comes from the outbox, and the cursor behind it.

const PATH = "/outbox";
const HOUR_MS = 3_600_000;
const RULES: OutboundRules = {
  ...{ mode: "known", knownMs: 24 * HOUR_MS, newChatsPerDay: 2 },
  hasAccount: (id) => id !== "unknown",
};
const ANY: OutboundRules = { ...RULES, mode: "any" };

let dir: string;
let clock: SimulatedClock;
let store: Store;
const begin = () => {
  store = openStore(dir, clock);
};
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-outbound-"));
  clock = new SimulatedClock();
  begin();
  await store.reports.turn(true);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

const text = (id: string, to: unknown = ANNA, changes: object = {}) => ({
  ...{ command_id: id, type: "send_text", text: id, to, transport_session_id: "whatsapp:default" },
  ...changes,
});

/** The outbox gives these, behind its last cursor. */
async function give(rules: OutboundRules, ...commands: object[]) {
  const after = await store.outbound.cursorOf(PATH);
  const cursor = String(Number(after) + commands.length);
  const read = commands.map((command) => readOutbound(command, NO_EXTRAS));
  const recorded = await store.outbound.take({ path: PATH, after, cursor, commands: read }, rules);
  return recorded.map(({ outcome, reason }) => [outcome, reason].filter(Boolean).join(": "));
}

/** This chat has written, and was answered. */
async function written(id: string, chat = ANNA) {
  const { seq } = await store.messages.accept(messageOf(id, chat));
  await store.messages.delivered(seq, 200, "{}", []);
}

const waitingFor = async (chat: string) => {
  const numbers = (await store.commands.waitingChats()).map((number) => store.commands.nextOf(number));
  return (await Promise.all(numbers)).find((command) => command?.chat_id === chat);
};

function reports(): DeliveryReport[] {
  const db = new Database(join(dir, "bridge.sqlite"), { readonly: true });
  const bodies = db.prepare<[], string>("SELECT body FROM reports ORDER BY id").pluck().all();
  db.close();
  return bodies.map((body) => deliveryReport.parse(JSON.parse(body)));
}

it("takes commands in with their cursor, behind what waits in their chat, and none twice", async () => {
  const { seq, chat } = await store.messages.accept(messageOf("A"));
  const first = { commandId: "first", type: "send_text", text: "first", payload: "first", refusal: null };
  await store.messages.delivered(seq, 200, "{}", [first]);
  expect(await give(RULES, text("a"), text("b"))).toEqual(["pending", "pending"]);
  expect(await store.outbound.cursorOf(PATH)).toBe("2");
  expect(await store.outbound.waiting()).toBe(2);
  expect(await give(RULES, text("b"), text("b", ANNA, { text: "else" }), text("c"))).toEqual([
    ...["repeated", "failed: its command_id was already used for another command", "pending"],
  ]);
  const sent: string[] = [];
  for (let next = await store.commands.nextOf(chat); next; next = await store.commands.nextOf(chat)) {
    sent.push(next.command_id);
    await store.commands.sending(next.id, "boot");
    await store.commands.settled(next.id, "sent", { reason: null, whatsappMessageId: null });
  }
  expect(sent).toEqual(["first", "a", "b", "c"]);
  expect(await store.counters()).toMatchObject({ outbound_taken: 5, outbound_refused: 1, commands_failed: 1 });
  expect(reports().map(({ command_id, message_id, state }) => [command_id, message_id, state])).toEqual([
    ["first", "A", "sent"],
    ["a", null, "sent"],
    ["b", null, "sent"],
    ["c", null, "sent"],
  ]);
});

it("takes nothing of an answer to a question that was asked from somewhere else", async () => {
  await written("A");
  await give(RULES, text("a"));
  const page = { path: PATH, after: "0", cursor: "9", commands: [readOutbound(text("z"), NO_EXTRAS)] };
  expect(await store.outbound.take(page, RULES)).toEqual([]);
  expect(await store.outbound.cursorOf(PATH)).toBe("1");
  expect(await store.outbound.cursorOf("/another")).toBe("0");
});

it("lets out what goes to chats that have written lately, and refuses the rest, each with its report", async () => {
  await written("A");
  clock.advance(23 * HOUR_MS);
  await written("B", BEN);
  expect(await give(RULES, text("a"), text("b", BEN), text("c", "+15550009999"))).toEqual([
    "pending",
    "pending",
    expect.stringMatching(/^failed: the chat has not written within 24 h .*BRIDGE_OUTBOUND=known/),
  ]);
  clock.advance(2 * HOUR_MS);
  expect(await give(RULES, text("d"), text("e", BEN))).toEqual([expect.stringMatching(/^failed/), "pending"]);
  expect(reports().map(({ command_id, chat_id, state }) => [command_id, chat_id, state])).toEqual([
    ["c", "+15550009999", "failed"],
    ["d", ANNA, "failed"],
  ]);
  // What is written to a chat is not written by it.
  clock.advance(25 * HOUR_MS);
  expect(await give(RULES, text("f", BEN))).toEqual([expect.stringMatching(/^failed/)]);
});

it("begins no more conversations a day than it may, however much is said in each, also over a restart", async () => {
  await written("A");
  expect(await give(ANY, text("a"), text("b", "+15550002001"), text("c", "+15550002002"))).toEqual([
    ...["pending", "pending", "pending"],
  ]);
  store.close();
  begin();
  expect(await give(ANY, text("d", "+15550002003"), text("e", "+15550002001"), text("f"))).toEqual([
    expect.stringMatching(/^failed: 2 new conversations were begun within a day/),
    ...["pending", "pending"],
  ]);
  clock.advance(25 * HOUR_MS);
  expect(await give(ANY, text("g", "+15550002003"))).toEqual(["pending"]);
});

it("begins no conversation with what is refused for its command_id, which leaves room for others", async () => {
  await written("A");
  expect(await give(ANY, text("a"), text("a", "+15550002001"), text("a", "+15550002002"))).toEqual([
    "pending",
    ...Array(2).fill("failed: its command_id was already used for another command"),
  ]);
  expect(await give(ANY, text("b", "+15550002003"), text("c", "+15550002004"), text("d", "+15550002001"))).toEqual([
    ...["pending", "pending"],
    expect.stringMatching(/^failed: 2 new conversations were begun within a day/),
  ]);
});

it.each<[string, object, RegExp, boolean]>([
  ["an account that OpenClaw has not", { transport_session_id: "whatsapp:unknown" }, /no such WhatsApp account/, true],
  ["no account", { transport_session_id: "default" }, /transport_session_id: must be whatsapp:<account>/, false],
  ["a chat that is none of WhatsApp's", { to: "anna@shop.example" }, /to: must be an E.164 number/, true],
  ["a LID", { to: "123456789012345@lid" }, /to: must be an E.164 number/, true],
  ["nobody", { to: undefined }, /to: must be/, true],
  ["nothing", { text: "" }, /text/, true],
  ["an emoji on no message", { type: "react", emoji: "👍" }, /switched off here|message_id: must be there/, true],
])("refuses what goes to %s, and goes on with the others", async (_, wrong, reason, isReported) => {
  await written("A");
  const [refused, ...others] = await give(RULES, text("a", ANNA, wrong), text("b"));
  expect(refused).toMatch(/^(failed|skipped): /);
  expect(refused).toMatch(reason);
  expect(others).toEqual(["pending"]);
  expect(reports().map(({ command_id }) => command_id)).toEqual(isReported ? ["a"] : []);
});

it("does what is about a chat, whoever it is, and lets a pause hold what comes behind it", async () => {
  await written("A");
  const pause = { type: "pause_chat", for_seconds: 60, text: undefined };
  expect(await give(RULES, text("a", "+15550009999", pause), text("b", ANNA, pause), text("c"))).toEqual([
    ...["done: replies of the chat are paused for 60 s", "done: replies of the chat are paused for 60 s", "pending"],
  ]);
  expect((await waitingFor(ANNA))?.pausedMs).toBe(60_000);
});

it("is no message: not in a list, not in the ledger, not the last one, and no customer waits for it", async () => {
  await written("A");
  clock.advance(HOUR_MS);
  await give(RULES, text("a"));
  clock.advance(HOUR_MS);
  expect((await store.operator.messages({}, null, 10)).rows.map(({ message_id }) => message_id)).toEqual(["A"]);
  expect(await store.counters()).toMatchObject({ accepted: 1, delivered: 1, pending: 0, dead: 0 });
  const look = await store.look();
  expect(look).toMatchObject({ lastAccepted: { agoMs: 2 * HOUR_MS }, lastDeliveredAgoMs: 2 * HOUR_MS });
  expect(look.longestWaitMs.replies).toBe(0);
  const [command] = (await store.operator.commands({}, null, 10)).rows;
  expect(command).toMatchObject({ command_id: "a", message_id: "outbox", chat_id: ANNA });
  expect((await waitingFor(ANNA))?.times).toEqual({ writtenAt: null, answeredAt: null });
  await store.commands.sending(command?.id ?? 0, "boot");
  const settlement = { reason: null, whatsappMessageId: "WA" };
  expect(await store.commands.settled(command?.id ?? 0, "sent", settlement)).toBe(false);
});

it("leaves by the number that the chat has written to last", async () => {
  await store.messages.accept(messageOf("A", ANNA, { raw: { To: "+15559990000" } }));
  await give(RULES, text("a"));
  expect((await waitingFor(ANNA))?.writtenTo).toBe("+15559990000");
  await give(ANY, text("b", BEN));
  expect((await waitingFor(BEN))?.writtenTo).toBeNull();
});

it("is forgotten like a reply: the text first, then the id", async () => {
  await give(ANY, text("a", BEN));
  const command = await waitingFor(BEN);
  await store.commands.sending(command?.id ?? 0, "boot");
  await store.commands.settled(command?.id ?? 0, "sent", { reason: null, whatsappMessageId: null });
  const keep = { textsDays: 1, keysDays: 8, deadLettersDays: 1 };
  clock.advance(25 * HOUR_MS);
  expect(await store.retention.sweep(keep)).toMatchObject({ texts: 1, keys: 0 });
  expect((await store.operator.command(command?.id ?? 0))?.text).toBeNull();
  expect(await give(ANY, text("a", BEN))).toEqual(["repeated"]);
  clock.advance(8 * 24 * HOUR_MS);
  expect(await store.retention.sweep(keep)).toMatchObject({ keys: 1 });
});

describe("after a restore", () => {
  /** A copy of what is there now is made the whole store. */
  async function restore() {
    const backup = join(dir, "backup.sqlite");
    const db = new Database(join(dir, "bridge.sqlite"));
    await db.backup(backup);
    db.close();
    const madeAt = clock.now();
    return () => {
      store.close();
      makeRestored(backup, { madeAt, restoredAt: clock.now(), lostUntil: clock.now() }, "anna", () => true);
      for (const end of ["-wal", "-shm"]) rmSync(join(dir, `bridge.sqlite${end}`), { force: true });
      renameSync(backup, join(dir, "bridge.sqlite"));
      begin();
    };
  }

  it("what may have been sent since is in doubt, until the outbox was empty once", async () => {
    await written("A");
    await give(RULES, text("a"));
    const bringBack = await restore();
    await give(RULES, text("b"));
    bringBack();
    expect(await store.outbound.cursorOf(PATH)).toBe("1");
    expect(await store.outbound.isBehind(PATH)).toBe(true);
    expect(await give(RULES, text("b"))).toEqual([expect.stringMatching(/^in_doubt: a backup was restored/)]);
    expect(await give(RULES)).toEqual([]);
    expect(await store.outbound.isBehind(PATH)).toBe(false);
    expect(await give(RULES, text("c"))).toEqual(["pending"]);
  });

  it("also where the backup is from before it was read at all", async () => {
    await written("A");
    const bringBack = await restore();
    await give(RULES, text("a"));
    bringBack();
    expect(await give(RULES, text("a"))).toEqual([expect.stringMatching(/^in_doubt/)]);
  });
});
