import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { type DeliveryReport, deliveryReport } from "../../shared/src/index.ts";
import { NO_EXTRAS, readOutbound } from "../../sidecar/src/commands/index.ts";
import type { OutboundRules } from "../../sidecar/src/store/index.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { rooms } from "./rooms.ts";

// What is promised of the outbox, in both rooms of the store.

const PATH = "/outbox";
const HOUR_MS = 3_600_000;
const RULES: OutboundRules = {
  ...{ mode: "known", knownMs: 24 * HOUR_MS, newChatsPerDay: 2 },
  hasAccount: (id) => id !== "unknown",
};
const ANY: OutboundRules = { ...RULES, mode: "any" };
const REUSED = "failed: its command_id was already used for another command";
const TOO_MANY = expect.stringMatching(/^failed: 2 new conversations were begun within a day/);

const text = (id: string, to: unknown = ANNA, changes: object = {}) => ({
  ...{ command_id: id, type: "send_text", text: id, to, transport_session_id: "whatsapp:default" },
  ...changes,
});

describe.each(rooms())("the outbox in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext) {
    const clock = new SimulatedClock();
    const it = await room.open(test, clock);
    return {
      it,
      clock,
      get store() {
        return it.store;
      },
      /** The outbox gives these, behind its last cursor. */
      async give(rules: OutboundRules, ...commands: object[]) {
        const after = await it.store.outbound.cursorOf(PATH);
        const cursor = String(Number(after) + commands.length);
        const read = commands.map((command) => readOutbound(command, NO_EXTRAS));
        const recorded = await it.store.outbound.take({ path: PATH, after, cursor, commands: read }, rules);
        return recorded.map(({ outcome, reason }) => [outcome, reason].filter(Boolean).join(": "));
      },
      /** This chat has written, and was answered. */
      async written(id: string, chat = ANNA) {
        const { seq } = await it.store.messages.accept(messageOf(id, chat));
        await it.store.messages.delivered(seq, 200, "{}", []);
      },
      /** Sends all that waits in the chat; the ids of that. */
      async send(chat: number) {
        const sent: string[] = [];
        for (;;) {
          const next = await it.store.commands.nextOf(chat);
          if (!next) return sent;
          sent.push(next.command_id);
          await it.store.commands.sending(next.id, "boot");
          await it.store.commands.settled(next.id, "sent", { reason: null, whatsappMessageId: null });
        }
      },
      async waitingFor(chat: string) {
        for (const number of await it.store.commands.waitingChats()) {
          const command = await it.store.commands.nextOf(number);
          if (command?.chat_id === chat) return command;
        }
        return undefined;
      },
      reports: async (): Promise<DeliveryReport[]> =>
        (await it.look<{ body: string }>("SELECT body FROM reports ORDER BY id")).map(({ body }) =>
          deliveryReport.parse(JSON.parse(body)),
        ),
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("gives commands with their cursor, behind what waits in their chat, and none twice", async (test) => {
    await using at = await opened(test);
    const { seq, chat } = await at.store.messages.accept(messageOf("A"));
    const first = { commandId: "first", type: "send_text", text: "first", payload: "first", refusal: null };
    await at.store.messages.delivered(seq, 200, "{}", [first]);
    expect(await at.give(RULES, text("a"), text("b"))).toEqual(["pending", "pending"]);
    await at.it.reopen();
    expect(await at.store.outbound.cursorOf(PATH)).toBe("2");
    expect(await at.store.outbound.waiting()).toBe(2);
    expect(
      await at.give(RULES, text("b"), text("b", ANNA, { text: "else" }), text("c"), text("c"), text("b", BEN)),
    ).toEqual(["repeated", REUSED, "pending", "repeated", REUSED]);
    expect(await at.send(chat)).toEqual(["first", "a", "b", "c"]);
    expect(await at.store.outbound.waiting()).toBe(0);
    expect(await at.store.counters()).toMatchObject({ outbound_taken: 7, outbound_refused: 2, commands_failed: 2 });
    expect((await at.reports()).map(({ command_id, message_id, state }) => [command_id, message_id, state])).toEqual([
      ["first", "A", "sent"],
      ["a", null, "sent"],
      ["b", null, "sent"],
      ["c", null, "sent"],
    ]);
  });

  it("gives nothing to who has asked from somewhere else", async (test) => {
    await using at = await opened(test);
    await at.written("A");
    await at.give(RULES, text("a"));
    const page = { path: PATH, after: "0", cursor: "9", commands: [readOutbound(text("z"), NO_EXTRAS)] };
    expect(await at.store.outbound.take(page, RULES)).toEqual([]);
    expect(await at.store.outbound.cursorOf(PATH)).toBe("1");
    expect(await at.store.outbound.cursorOf("/another")).toBe("0");
    expect(await at.store.outbound.isBehind(PATH)).toBe(false);
  });

  it("writes to chats that have written lately, and to no other, each with its report", async (test) => {
    await using at = await opened(test);
    await at.written("A");
    at.clock.advance(23 * HOUR_MS);
    await at.written("B", BEN);
    expect(await at.give(RULES, text("a"), text("b", BEN), text("c", "+15550009999"))).toEqual([
      "pending",
      "pending",
      expect.stringMatching(/^failed: the chat has not written within 24 h .*BRIDGE_OUTBOUND=known/),
    ]);
    at.clock.advance(2 * HOUR_MS);
    expect(await at.give(RULES, text("d"), text("e", BEN))).toEqual([expect.stringMatching(/^failed/), "pending"]);
    expect((await at.reports()).map(({ command_id, chat_id, state }) => [command_id, chat_id, state])).toEqual([
      ["c", "+15550009999", "failed"],
      ["d", ANNA, "failed"],
    ]);
    // What is written to a chat is not written by it.
    at.clock.advance(25 * HOUR_MS);
    expect(await at.give(RULES, text("f", BEN))).toEqual([expect.stringMatching(/^failed/)]);
  });

  it("begins no more conversations a day than it may, however much is said in each", async (test) => {
    await using at = await opened(test);
    await at.written("A");
    expect(await at.give(ANY, text("a"), text("b", "+15550002001"), text("c", "+15550002002"))).toEqual([
      ...["pending", "pending", "pending"],
    ]);
    await at.it.reopen();
    expect(await at.give(ANY, text("d", "+15550002003"), text("e", "+15550002001"), text("f"))).toEqual([
      TOO_MANY,
      ...["pending", "pending"],
    ]);
    at.clock.advance(25 * HOUR_MS);
    const page = [text("g", "+15550002003"), text("h", "+15550002003"), text("i", "+15550002004"), text("j", BEN)];
    expect(await at.give(ANY, ...page)).toEqual(["pending", "pending", "pending", TOO_MANY]);
  });

  it("begins none with what is refused for its command_id, which leaves room for others", async (test) => {
    await using at = await opened(test);
    await at.written("A");
    const page = [text("a"), text("a", "+15550002001"), text("b", "+15550002002"), text("a", "+15550002003")];
    expect(await at.give(ANY, ...page, text("c", "+15550002004"), text("d", "+15550002001"))).toEqual([
      ...["pending", REUSED, "pending", REUSED, "pending"],
      TOO_MANY,
    ]);
  });

  it.for<[string, object, RegExp, boolean]>([
    [
      "an account that OpenClaw has not",
      { transport_session_id: "whatsapp:unknown" },
      /no such WhatsApp account/,
      true,
    ],
    ["no account", { transport_session_id: "default" }, /transport_session_id: must be whatsapp:<account>/, false],
    ["a chat that is none of WhatsApp's", { to: "anna@shop.example" }, /to: must be an E.164 number/, true],
    ["nobody", { to: undefined }, /to: must be/, true],
    ["nothing", { text: "" }, /text/, true],
  ])("refuses what goes to %s, and goes on with the others", async ([_, wrong, reason, isReported], test) => {
    await using at = await opened(test);
    await at.written("A");
    const [refused, ...others] = await at.give(RULES, text("a", ANNA, wrong), text("b"));
    expect(refused).toMatch(/^failed: /);
    expect(refused).toMatch(reason);
    expect(others).toEqual(["pending"]);
    expect((await at.reports()).map(({ command_id }) => command_id)).toEqual(isReported ? ["a"] : []);
    expect(await at.store.counters()).toMatchObject({ outbound_taken: 2, outbound_refused: 1, commands_failed: 1 });
    expect((await at.store.failures()).command_failed).toMatchObject({ message_id: "outbox", count: 1 });
    const [lane] = await at.store.reports.lanes();
    const report = lane && (await at.store.reports.headOf(lane.lane));
    if (!report) return expect(isReported).toBe(false);
    const session = (wrong as { transport_session_id?: string }).transport_session_id ?? "whatsapp:default";
    expect(`whatsapp:${report.account_id}`).toBe(session);
    expect(JSON.parse(report.body)).toMatchObject({ transport_session_id: session });
    await at.store.reports.delivered(report.id);
    expect(await at.store.counters()).toMatchObject({ reports_waiting: 0, reports_delivered: 1 });
  });

  it("has orders about a chat done, whoever it is, and a pause holds what comes behind it", async (test) => {
    await using at = await opened(test);
    await at.written("A");
    const pause = { type: "pause_chat", for_seconds: 60, text: undefined };
    expect(await at.give(RULES, text("a", "+15550009999", pause), text("b", ANNA, pause), text("c"))).toEqual([
      ...["done: replies of the chat are paused for 60 s", "done: replies of the chat are paused for 60 s", "pending"],
    ]);
    expect((await at.waitingFor(ANNA))?.pausedMs).toBe(60_000);
  });

  it("has what waits in a paused chat skipped, which begins no conversation", async (test) => {
    await using at = await opened(test);
    const pause = { kind: "pause", forMs: HOUR_MS, replies: "skip" } as const;
    await at.store.pauses.pause({ accountId: "default", chatId: "+15550002001" }, pause);
    const page = [text("a", "+15550002001"), text("b", "+15550002002"), text("c", "+15550002003"), text("d", BEN)];
    expect(await at.give(ANY, ...page)).toEqual([
      expect.stringMatching(/^skipped: its chat is paused/),
      ...["pending", "pending"],
      TOO_MANY,
    ]);
  });

  it("gives no messages: not in the ledger, not the last one, and no customer waits for them", async (test) => {
    await using at = await opened(test);
    await at.written("A");
    at.clock.advance(HOUR_MS);
    await at.give(RULES, text("a"));
    at.clock.advance(HOUR_MS);
    expect(await at.store.counters()).toMatchObject({ accepted: 1, delivered: 1, pending: 0, dead: 0 });
    const look = await at.store.look();
    expect(look).toMatchObject({ lastAccepted: { agoMs: 2 * HOUR_MS }, lastDeliveredAgoMs: 2 * HOUR_MS });
    expect(look.longestWaitMs.replies).toBe(0);
    const command = await at.waitingFor(ANNA);
    expect(command).toMatchObject({ command_id: "a", message_id: "outbox", outbound: "known" });
    expect(command?.times).toEqual({ writtenAt: null, answeredAt: null });
    await at.store.commands.sending(command?.id ?? 0, "boot");
    const settlement = { reason: null, whatsappMessageId: "WA" };
    expect(await at.store.commands.settled(command?.id ?? 0, "sent", settlement)).toBe(false);
  });

  it("has its commands leave by the number that the chat has written to last", async (test) => {
    await using at = await opened(test);
    await at.store.messages.accept(messageOf("A", ANNA, { raw: { To: "+15559990000" } }));
    await at.give(RULES, text("a"));
    expect((await at.waitingFor(ANNA))?.writtenTo).toBe("+15559990000");
    await at.give(ANY, text("b", BEN));
    expect((await at.waitingFor(BEN))?.writtenTo).toBeNull();
  });
});
