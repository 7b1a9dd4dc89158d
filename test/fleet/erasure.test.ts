import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import type { InboundMessage } from "../../shared/src/index.ts";
import type { ErasureRequest } from "../../sidecar/src/store/index.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { rooms } from "./rooms.ts";

// What is left of a customer who is forgotten, in both rooms of the store.

const GROUP = "120363000000000001@g.us";
const WORDS = `canary ${"words of Anna's ".repeat(1_000)}`;

describe.each(rooms())("forgetting a customer in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext) {
    const it = await room.open(test, new SimulatedClock());
    const accept = async (...message: Parameters<typeof messageOf>) =>
      await it.store.messages.accept(messageOf(...message));
    return {
      it,
      accept,
      get store() {
        return it.store;
      },
      forget: async (changes: Partial<ErasureRequest> = {}) =>
        await it.store.operator.forget(
          { number: ANNA, after: 0, left: 0, forgotten: 0, includingWaiting: false, ...changes },
          "eve",
        ),
      async put(text: string) {
        const sha256 = createHash("sha256").update(text).digest("hex");
        const body = (async function* () {
          yield Buffer.from(text);
        })();
        await it.store.files.receive(sha256, { offset: 0, length: text.length, body });
        return { type: "image" as const, mime_type: null, file_name: null, size_bytes: text.length, sha256 };
      },
      /** A message that was answered with one reply, `to-<id>`, which is in this state. */
      async answer(
        id: string,
        chat: string,
        state: "pending" | "sending" | "sent" | "in_doubt" | "failed",
        more: Partial<InboundMessage> = {},
      ) {
        const message = messageOf(id, chat, { text: WORDS, ...more });
        const accepted = await it.store.messages.accept(message);
        const text = message.from === BEN ? "reply to Ben" : `canary reply to ${ANNA}`;
        const besides = message.from === BEN ? {} : { details: `canary of ${ANNA}`, file: Buffer.from("canary") };
        const reply = { commandId: `to-${id}`, type: "send_text", text, payload: text, refusal: null, ...besides };
        await it.store.messages.delivered(accepted.seq, 200, JSON.stringify({ text }), [reply]);
        const command = await it.store.commands.nextOf(accepted.chat);
        if (state === "pending" || !command) return accepted;
        await it.store.commands.sending(command.id, "boot");
        const said = message.from === BEN ? {} : { reason: "canary of ours", said: "canary of OpenClaw" };
        const told = { reason: null, ...said, whatsappMessageId: `WA-${id}` };
        if (state !== "sending") await it.store.commands.settled(command.id, state, told);
        return accepted;
      },
      /** Which of these is in any row. */
      async found(...words: string[]) {
        const everything = await it.everything();
        return words.filter((word) => everything.includes(word));
      },
      files: () => readdirSync(join(it.dir, "media")),
      async ledger() {
        const counts = await it.store.counters();
        expect(counts.accepted).toBe(counts.delivered + counts.pending + counts.dead + counts.discarded);
        return counts;
      },
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("leaves no text, number, file, id or reply of theirs in any table, and all that is others'", async (test) => {
    await using at = await opened(test);
    await at.answer("ANNAS-ID", ANNA, "sent", { media: [await at.put("canary of a file")], raw: { From: ANNA } });
    await at.answer("ANNAS-SHOP", ANNA, "failed", { account_id: "shop" });
    const failing = await at.accept("ANNAS-OTHER", ANNA, { text: WORDS });
    const attempt = { status: 500, nextAttemptAt: 0, waitMs: 1, detach: false };
    await at.store.messages.failed(failing.seq, { ...attempt, error: "canary of an error" });
    await at.store.messages.dead(failing.seq, 500, "canary of Hot Bags");
    await at.store.pauses.pause({ accountId: "default", chatId: ANNA }, { forMs: 1_000, replies: "hold" });
    await at.answer("BENS-ID", BEN, "sent", { text: "words of Ben's" });
    const annas = ["canary", ANNA.slice(1), "ANNAS-ID", "ANNAS-SHOP", "ANNAS-OTHER", "to-ANNAS-ID", "WA-ANNAS-ID"];
    expect(await at.found(...annas)).toEqual(annas);
    expect(await at.forget()).toMatchObject({ forgotten: 3, left: 0, next: null, progress: 1, isNumberGone: true });
    expect(await at.found(...annas)).toEqual([]);
    expect(await at.found("words of Ben's", BEN, "BENS-ID", "to-BENS-ID")).toHaveLength(4);
    expect(at.files()).toEqual([]);
    expect(await at.ledger()).toMatchObject({ accepted: 4, delivered: 3, dead: 0, discarded: 1 });
    expect((await at.store.failures()).dead).toMatchObject({ reason: "forgotten with its customer" });
    expect(await at.store.operator.audit(null, 2)).toMatchObject([
      { who: "eve", action: "forget +1555…01", kind: "chat", result: "done: 3 messages forgotten" },
      { who: "eve", action: "forget +1555…01", kind: "chat", result: "begun" },
    ]);
  });

  it("knows what comes again, also over a restart, and does not bring the number back", async (test) => {
    await using at = await opened(test);
    await at.answer("A", ANNA, "sent");
    await at.answer("G", GROUP, "sent", { from: ANNA });
    await at.forget();
    await at.it.reopen();
    expect(await at.accept("A", ANNA)).toMatchObject({ duplicate: true, refusal: null });
    expect(await at.accept("G", GROUP, { from: ANNA })).toMatchObject({ duplicate: true, refusal: null });
    expect(await at.found(ANNA.slice(1))).toEqual([]);
    // A command id that comes again sends nothing.
    const { seq } = await at.accept("B", BEN);
    const again = { commandId: "to-A", type: "send_text", text: "x", payload: "x", refusal: null };
    const [recorded] = await at.store.messages.delivered(seq, 200, "{}", [again]);
    expect(recorded).toMatchObject({ outcome: "failed", reason: expect.stringMatching(/already used/) });
  });

  it("takes the same customer in again as a new one, and can forget them again", async (test) => {
    await using at = await opened(test);
    await at.answer("A", ANNA, "sent");
    await at.forget();
    const { chat, ...accepted } = await at.accept("B", ANNA);
    expect(accepted).toMatchObject({ duplicate: false, refusal: null });
    await at.accept("C", ANNA);
    expect(await at.store.messages.headOf(chat)).toMatchObject({ message_id: "B", chat_id: ANNA });
    expect(await at.forget({ includingWaiting: true })).toMatchObject({ forgotten: 2, isNumberGone: true });
    for (const id of ["A", "B", "C"]) expect(await at.accept(id, ANNA)).toMatchObject({ duplicate: true });
    expect(await at.ledger()).toMatchObject({ accepted: 3, delivered: 1, discarded: 2, pending: 0 });
  });

  it("leaves what waits, and so the number, until it is settled", async (test) => {
    await using at = await opened(test);
    await at.answer("done", ANNA, "sent");
    const { seq, chat } = await at.accept("waits", ANNA);
    await at.answer("doubt", ANNA, "in_doubt");
    await at.answer("reply waits", ANNA, "pending");
    expect(await at.forget()).toMatchObject({ forgotten: 1, left: 3, isNumberGone: false });
    expect(await at.store.messages.headOf(chat)).toMatchObject({ message_id: "waits", chat_id: ANNA });
    const result = "1 message forgotten, 3 messages left: they wait, or their replies do";
    expect(await at.store.operator.audit(null, 1)).toMatchObject([{ result }]);
    await at.store.messages.delivered(seq, 200, "{}", []);
    expect(await at.forget()).toMatchObject({ forgotten: 1, left: 2, isNumberGone: false });
  });

  it("gives up what waits where it is to be forgotten too, and tells Hot Bags nothing of it", async (test) => {
    await using at = await opened(test);
    const { seq, chat } = await at.accept("waits", ANNA);
    const doubt = await at.answer("doubt", ANNA, "in_doubt");
    await at.answer("reply waits", ANNA, "pending");
    const { seq: detached } = await at.accept("detached", ANNA);
    const attempt = { status: 500, nextAttemptAt: 0, waitMs: 1, detach: true, error: "no" };
    await at.store.messages.failed(detached, attempt);
    const forgotten = await at.forget({ includingWaiting: true });
    expect(forgotten).toMatchObject({ forgotten: 4, left: 0, isNumberGone: true, chats: [chat, chat] });
    expect(forgotten.resolved.map((one) => one.chat)).toEqual([doubt.chat, doubt.chat]);
    expect(await at.store.messages.headOf(chat)).toBeUndefined();
    expect(await at.store.commands.nextOf(chat)).toBeUndefined();
    expect(await at.ledger()).toMatchObject({
      ...{ pending: 0, detached: 0, dead: 0, discarded: 2, delivered: 2 },
      ...{ commands_pending: 0, commands_in_doubt: 0, commands_failed: 2, reports_waiting: 0, reports_dropped: 1 },
    });
    expect(await at.it.look("SELECT id FROM reports")).toEqual([]);
    // An answer that was on its way changes nothing.
    expect(await at.store.messages.delivered(seq, 200, "{}", [])).toEqual([]);
    expect(await at.ledger()).toMatchObject({ delivered: 2, discarded: 2 });
  });

  it("leaves in any case what is with the gateway", async (test) => {
    await using at = await opened(test);
    await at.answer("A", ANNA, "sending");
    expect(await at.forget({ includingWaiting: true })).toMatchObject({
      ...{ forgotten: 0, left: 1, isNumberGone: false, found: { replies_being_sent: 1 } },
    });
    expect(await at.store.commands.interrupted()).toHaveLength(1);
  });

  it("finds them in groups, and leaves what others wrote there", async (test) => {
    await using at = await opened(test);
    await at.answer("of Anna", GROUP, "sent", { from: ANNA });
    await at.answer("of Ben", GROUP, "sent", { from: BEN, text: "words of Ben's" });
    expect(await at.forget()).toMatchObject({ found: { messages: 1 }, forgotten: 1, isNumberGone: true });
    expect(await at.found("of Anna", ANNA.slice(1))).toEqual([]);
    expect(await at.found("of Ben", "words of Ben's", GROUP)).toHaveLength(3);
  });

  it("counts first, and changes nothing by that", async (test) => {
    await using at = await opened(test);
    await at.answer("A", ANNA, "sent", { media: [await at.put("one")] });
    await at.accept("B", ANNA);
    const { seq } = await at.accept("C", ANNA);
    await at.store.messages.dead(seq, 400, "refused");
    expect(await at.store.operator.find(ANNA, 0)).toEqual({
      ...{ next: null, progress: 1 },
      found: {
        ...{ messages: 3, waiting: 1, dead: 1, files: 1 },
        ...{ replies_waiting: 0, replies_in_doubt: 0, replies_being_sent: 0 },
      },
    });
    expect(await at.found("canary", ANNA)).toHaveLength(2);
    expect(await at.store.operator.audit(null, 10)).toEqual([]);
  });

  it("keeps a file that another customer sent too", async (test) => {
    await using at = await opened(test);
    const media = [await at.put("shared")];
    await at.answer("A", ANNA, "sent", { media });
    await at.answer("B", BEN, "sent", { media });
    await at.forget();
    expect(at.files()).toHaveLength(1);
  });

  it("is nothing where nobody is known by that number", async (test) => {
    await using at = await opened(test);
    await at.answer("B", BEN, "sent");
    expect(await at.forget()).toMatchObject({ found: { messages: 0 }, forgotten: 0, isNumberGone: true });
    expect(await at.found(BEN)).toEqual([BEN]);
  });

  it("lets others in between its chunks, and goes through thousands", async (test) => {
    await using at = await opened(test);
    const all = Array.from({ length: 2_200 }, (_, n) => at.accept(`M${n}`, n % 2 === 0 ? ANNA : BEN));
    const accepted = await Promise.all(all);
    await Promise.all(accepted.map(({ seq }) => at.store.messages.delivered(seq, 200, "{}", [])));
    const [first, meanwhile] = await Promise.all([at.forget(), at.accept("meanwhile", BEN)]);
    expect(meanwhile).toMatchObject({ duplicate: false });
    let [step, { forgotten }] = [first, first];
    while (step.next !== null) {
      step = await at.forget({ after: step.next });
      forgotten += step.forgotten;
    }
    expect([forgotten, step.isNumberGone, step.progress]).toEqual([1_100, true, 1]);
    expect(await at.found(ANNA.slice(1))).toEqual([]);
  });
});
