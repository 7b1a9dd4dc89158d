import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import type { InboundMessage } from "../../shared/src/index.ts";
import type { ChatOrder, CommandFromResponse } from "../../sidecar/src/store/index.ts";
import { messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { rooms } from "./rooms.ts";

// What is promised of commands, in both rooms of the store.

const ANNA = "+15550001001";
const BEN = "+15550001002";
const HOUR_MS = 3_600_000;

function command(id: string | null, text: string): CommandFromResponse {
  return { commandId: id, type: "send_text", text, payload: JSON.stringify(["send_text", text]), refusal: null };
}

const order = (id: string, what: ChatOrder): CommandFromResponse => ({
  ...{ commandId: id, type: `${what.kind}_chat`, text: null, payload: JSON.stringify(what), refusal: null },
  order: what,
});

const pauseFor = (replies: "hold" | "skip"): ChatOrder => ({ kind: "pause", forMs: HOUR_MS, replies });

describe.each(rooms())("commands in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext, clock = new SimulatedClock()) {
    const it = await room.open(test, clock);
    let messages = 0;
    return {
      it,
      clock,
      get commands() {
        return it.store.commands;
      },
      counts: async () => await it.store.counters(),
      async deliver(commands: CommandFromResponse[], chat = ANNA, changes: Partial<InboundMessage> = {}) {
        const accepted = await it.store.messages.accept(messageOf(`m${++messages}`, chat, changes));
        const recorded = await it.store.messages.delivered(accepted.seq, 200, "{}", commands);
        return { ...accepted, recorded, outcomes: recorded.map(({ outcome }) => outcome) };
      },
      /** The next of the chat is handed to the gateway, and ends so. */
      async send(chat: number, ...[state, more]: [Parameters<typeof it.store.commands.settled>[1], object?]) {
        const id = (await it.store.commands.nextOf(chat))?.id ?? 0;
        expect(await it.store.commands.sending(id, "boot")).not.toBeNull();
        await it.store.commands.settled(id, state, { reason: null, whatsappMessageId: null, ...more });
        return id;
      },
      reports: async () =>
        (await it.look<{ body: string }>("SELECT body FROM reports ORDER BY id")).map(({ body }) => JSON.parse(body)),
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("are written with their message's delivery, and wait in the order of the array", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "one"), command("c2", "two")]);
    expect(await store.commands.waitingChats()).toEqual([chat]);
    const common = { account_id: "default", chat_id: ANNA, message_id: "m1", outbound: null, details: null };
    expect(await store.commands.nextOf(chat)).toMatchObject({ command_id: "c1", text: "one", chat, ...common });
    await store.send(chat, "sent", { whatsappMessageId: "W1" });
    expect(await store.commands.nextOf(chat)).toMatchObject({ command_id: "c2", ...common });
    expect(await store.commands.sentIds(10)).toEqual(["W1"]);
    expect(await store.counts()).toMatchObject({ commands_sent: 1, commands_pending: 1, commands_sending: 0 });
  });

  it("come with their file and what they say besides", async (test) => {
    await using store = await opened(test);
    const file = Buffer.from([0, 1, 255, 92, 39]);
    const { chat, recorded } = await store.deliver([
      { ...command("c1", "see"), details: '{"reply_to":"A"}', file },
      command(null, 'no id, with \\ and " and {}'),
    ]);
    const next = await store.commands.nextOf(chat);
    expect(next).toMatchObject({ details: '{"reply_to":"A"}' });
    expect([next?.file, await store.commands.fileOf(next?.id ?? 0)]).toEqual([file, file]);
    expect(await store.commands.fileOf(recorded[1]?.id ?? 0)).toBeNull();
    expect(await store.it.look("SELECT command_id, text FROM commands ORDER BY id")).toEqual([
      { command_id: "c1", text: "see" },
      { command_id: null, text: 'no id, with \\ and " and {}' },
    ]);
  });

  it("with an id seen before are not written again, also within one response and one turn", async (test) => {
    await using store = await opened(test);
    await store.deliver([command("c1", "one")]);
    const again = await store.deliver([command("c1", "one"), command("c2", "two"), command("c2", "two")]);
    expect(again.outcomes).toEqual(["repeated", "pending", "repeated"]);
    const both = await Promise.all(["m8", "m9"].map((id) => store.it.store.messages.accept(messageOf(id, ANNA))));
    const ends = await Promise.all(
      both.map(({ seq }) => store.it.store.messages.delivered(seq, 200, "{}", [command("c3", "three")])),
    );
    expect(ends.flat().map(({ outcome }) => outcome)).toEqual(["pending", "repeated"]);
    expect((await store.counts()).commands_pending).toBe(3);
  });

  it("with an id seen before and other content are refused, and leave the first one alone", async (test) => {
    await using store = await opened(test);
    await store.deliver([command("c1", "one")]);
    const { recorded } = await store.deliver([command("c1", "something else"), command("c2", "two")]);
    const elsewhere = await store.deliver([command("c1", "one")], BEN);
    expect(recorded).toMatchObject([
      { outcome: "failed", commandId: "c1", reason: expect.stringContaining("already used"), id: expect.any(Number) },
      { outcome: "pending", commandId: "c2", id: expect.any(Number) },
    ]);
    expect(elsewhere.outcomes).toEqual(["failed"]);
    expect(await store.counts()).toMatchObject({ commands_pending: 2, commands_failed: 2 });
    expect((await store.it.store.failures()).command_failed).toMatchObject({ message_id: "m3", count: 2 });
  });

  it("of a message that is delivered twice are written once", async (test) => {
    await using store = await opened(test);
    const { seq } = await store.deliver([command("c1", "one")]);
    const more = [command("c1", "one"), command("c2", "two")];
    expect(await store.it.store.messages.delivered(seq, 200, "{}", more)).toEqual([]);
    expect(await store.counts()).toMatchObject({ delivered: 1, commands_pending: 1 });
  });

  it("that were being sent when the process ended are found again", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "one")]);
    const id = (await store.commands.nextOf(chat))?.id ?? 0;
    await store.commands.sending(id, "boot-7");
    await store.it.reopen();
    expect(await store.commands.interrupted()).toEqual([id]);
    expect(await store.commands.get(id)).toMatchObject({ command_id: "c1", gateway_process: "boot-7" });
    expect(await store.commands.nextOf(chat)).toBeUndefined();
    expect(await store.commands.sendsSince("boot-7", 0)).toBe(1);
    expect(await store.commands.sentBetween(store.clock.now() - 1, store.clock.now())).toEqual([
      { chat, at: store.clock.now() },
    ]);
  });

  it("in doubt can still be settled by proof, except those that went out in part", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "one"), command("c2", "two")]);
    for (const partial of [false, true]) await store.send(chat, "in_doubt", { reason: "?", partial });
    await store.it.reopen();
    const doubts = await store.commands.inDoubt(10);
    const seen = [];
    for (const id of doubts) seen.push((await store.commands.doubt(id))?.command_id);
    expect(seen).toEqual([undefined, "c1"]);
    expect((await store.it.store.look()).doubtsLeft).toBe(1);
    expect((await store.counts()).commands_in_doubt).toBe(2);
  });

  it("in doubt remember which gateway process was asked in vain, and since when the operator knows", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "one")]);
    const id = await store.send(chat, "in_doubt", { reason: "?" });
    expect(await store.commands.doubt(id)).toMatchObject({ asked_process: null, alarmed_at: null });
    await store.commands.askedInVain(id, "boot-1");
    const alarmedAt = (await store.commands.doubt(id))?.alarmed_at;
    store.clock.advance(1_000);
    await store.commands.askedInVain(id, "boot-2");
    expect(await store.commands.doubt(id)).toMatchObject({ asked_process: "boot-2", alarmed_at: alarmedAt });
    await store.commands.proven(id, "sent", "W1");
    await store.commands.proven(id, "sent", "W2");
    expect(await store.commands.doubt(id)).toBeUndefined();
    expect(await store.counts()).toMatchObject({ commands_in_doubt: 0, commands_sent: 1 });
  });

  it("go back to waiting only from sending, and are refused only while they wait", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "one"), command("c2", "two")]);
    const id = (await store.commands.nextOf(chat))?.id ?? 0;
    expect(await store.commands.sending(id, null)).not.toBeNull();
    expect(await store.commands.sending(id, null)).toBeNull();
    expect(await store.counts()).toMatchObject({ commands_pending: 1, commands_sending: 1 });
    await store.commands.refused(id, "too late");
    await store.commands.notSent(id, { reason: "not connected" });
    expect(await store.commands.settled(id, "sent", { reason: null, whatsappMessageId: null })).toBe(true);
    expect((await store.commands.nextOf(chat))?.id).toBe(id);
    await store.commands.refused(id, "unknown target");
    expect((await store.commands.nextOf(chat))?.command_id).toBe("c2");
    expect(await store.counts()).toMatchObject({ commands_pending: 1, commands_sent: 0, commands_failed: 1 });
    expect((await store.it.store.failures()).command_failed).toMatchObject({ reason: "unknown target" });
  });

  it("say when what they answer was written and answered, and with their end whether more waits in the chat", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "one"), command("c2", "two"), command("c3", "three")]);
    const end = async (state: "sent" | "failed") => {
      const next = await store.commands.nextOf(chat);
      expect(next?.times).toEqual({
        writtenAt: Date.parse("2026-03-01T12:00:00.000Z"),
        answeredAt: expect.any(Number),
      });
      const id = next?.id ?? 0;
      await store.commands.sending(id, "boot");
      return await store.commands.settled(id, state, { reason: null, whatsappMessageId: null });
    };
    expect([await end("sent"), await end("failed"), await end("sent")]).toEqual([true, true, false]);
  });

  it("that can't be settled are passed over, and counted once", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "one"), command("c2", "two")]);
    const id = (await store.commands.nextOf(chat))?.id ?? 0;
    for (let n = 0; n < 2; n += 1) await store.commands.passOver(id, "pending", "failed");
    expect((await store.commands.nextOf(chat))?.command_id).toBe("c2");
    expect(await store.counts()).toMatchObject({ commands_pending: 1, commands_failed: 1 });
  });

  it("that are in OpenClaw's queue are followed to their end", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "1"), command("c2", "2"), command("c3", "3")]);
    const ids = [];
    for (let n = 0; n < 3; n += 1) ids.push(await store.send(chat, "queued_by_gateway"));
    const { handovers } = store.it.store;
    expect(await handovers.open(10)).toEqual(ids.toReversed());
    const dropped = { reason: "given up", dropped: true } as const;
    await handovers.ended(ids[0] ?? 0, { to: "sent", whatsappMessageId: "W" });
    await handovers.ended(ids[1] ?? 0, { to: "pending", ...dropped });
    for (let n = 0; n < 2; n += 1) await handovers.ended(ids[2] ?? 0, { to: "in_doubt", ...dropped });
    expect((await store.commands.nextOf(chat))?.command_id).toBe("c2");
    expect(await store.counts()).toMatchObject({
      ...{ commands_sent: 1, commands_pending: 1, commands_in_doubt: 1, commands_queued_by_gateway: 0 },
      ...{ replies_sent_from_queue: 1, replies_dropped: 2 },
    });
    expect((await store.it.store.failures()).reply_dropped).toMatchObject({ reason: "given up", count: 2 });
  });

  it("are held by a pause that stood before them in their answer, and go out after it", async (test) => {
    await using store = await opened(test);
    const { chat, outcomes, recorded } = await store.deliver([
      ...[command("c1", "a colleague will answer you"), order("c2", pauseFor("hold")), command("c3", "held")],
    ]);
    expect(outcomes).toEqual(["pending", "done", "pending"]);
    expect(recorded[1]?.reason).toContain("paused for 3600 s");
    const left = async () => (await store.commands.nextOf(chat))?.pausedMs;
    expect(await left()).toBe(0);
    await store.send(chat, "sent");
    expect(await left()).toBe(HOUR_MS);
    expect((await store.it.store.look()).longestWaitMs.replies).toBe(0);
    expect(await store.it.store.pauses.list()).toMatchObject([{ chat, by: "hotbags", replies: "hold", waiting: 1 }]);
    store.clock.advance(HOUR_MS + 5);
    expect(await left()).toBe(0);
    expect((await store.it.store.look()).longestWaitMs.replies).toBe(5);
  });

  it("that one before them is to be sent again were read too early, and are not sent", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "one"), command("c2", "two")]);
    const first = await store.send(chat, "queued_by_gateway");
    const second = (await store.commands.nextOf(chat))?.id ?? 0;
    expect(second).not.toBe(first);
    await store.it.store.handovers.ended(first, { to: "pending", reason: "given up", dropped: true });
    expect(await store.commands.sending(second, "boot-7")).toBeNull();
    expect(await store.commands.nextOf(chat)).toMatchObject({ command_id: "c1" });
    await store.send(chat, "sent");
    expect(await store.commands.sending(second, "boot-7")).toMatchObject({ gateway_process: "boot-7" });
  });

  it("that a pause holds which came since they were read are not sent", async (test) => {
    await using store = await opened(test);
    const { chat } = await store.deliver([command("c1", "is about to be sent"), command("c2", "waits")]);
    const id = (await store.commands.nextOf(chat))?.id ?? 0;
    const address = { accountId: "default", chatId: ANNA };
    await store.it.store.pauses.pause(address, { forMs: HOUR_MS, replies: "hold" });
    expect(await store.commands.sending(id, "boot-7")).toBeNull();
    expect(await store.commands.nextOf(chat)).toMatchObject({ id, pausedMs: HOUR_MS });
    expect(await store.counts()).toMatchObject({ commands_pending: 2, commands_sending: 0 });
    await store.it.store.pauses.resume(address);
    await store.deliver([order("c3", pauseFor("hold"))]);
    expect(await store.commands.sending(id, "boot-7")).not.toBeNull();
  });

  it("are skipped by a pause that skips, until another order or the operator ends it", async (test) => {
    await using store = await opened(test);
    const first = await store.deliver([
      ...[order("c1", pauseFor("skip")), command("c2", "no"), order("c3", { kind: "resume" }), command("c4", "yes")],
    ]);
    expect(first.outcomes).toEqual(["done", "skipped", "done", "pending"]);
    const address = { accountId: "default", chatId: ANNA };
    await store.it.store.pauses.pause(address, { forMs: HOUR_MS, replies: "skip" });
    expect(await store.commands.nextOf(first.chat)).toBeUndefined();
    expect((await store.deliver([command("c5", "no")])).outcomes).toEqual(["skipped"]);
    expect(await store.it.store.pauses.resume(address)).toBe(first.chat);
    expect(await store.it.store.pauses.resume(address)).toBeNull();
    expect((await store.deliver([command("c6", "yes")])).outcomes).toEqual(["pending"]);
    expect(await store.counts()).toMatchObject({ commands_skipped: 3, commands_done: 2, commands_pending: 1 });
  });

  it("are reported to Hot Bags, in the transaction that changes them", async (test) => {
    await using store = await opened(test);
    const refusal = { state: "failed" as const, reason: "no such type" };
    const { chat } = await store.deliver([
      ...[command("c1", "1"), { ...command("c2", "2"), refusal }, command("c3", "3"), command("c1", "reused")],
    ]);
    await store.send(chat, "sent", { whatsappMessageId: "W1" });
    const doubt = await store.send(chat, "in_doubt", { reason: "?", partial: true });
    await store.commands.proven(doubt, "queued_by_gateway", null);
    const told = (await store.reports()).map(({ report_id: _, timestamp: __, ...report }) => report);
    const common = { message_id: "m1", chat_id: ANNA, transport_session_id: told[0]?.transport_session_id };
    expect(told).toEqual([
      ...[
        {
          command_id: "c2",
          state: "failed",
          outcome: null,
          is_partial: false,
          whatsapp_message_id: null,
          reason: "no such type",
        },
        { command_id: "c1", state: "sent", outcome: null, is_partial: false, whatsapp_message_id: "W1", reason: null },
        {
          command_id: "c3",
          state: "in_doubt",
          outcome: null,
          is_partial: true,
          whatsapp_message_id: null,
          reason: "?",
        },
        {
          command_id: "c3",
          state: "resolved",
          outcome: "pending",
          is_partial: false,
          whatsapp_message_id: null,
          reason: null,
        },
      ].map((report) => ({ ...report, ...common })),
    ]);
    expect((await store.counts()).reports_waiting).toBe(4);
  });

  it("have reports that go in their order, until Hot Bags has them or they are given up", async (test) => {
    await using store = await opened(test);
    const { reports } = store.it.store;
    const told: number[][] = [];
    reports.onNew((lanes) => told.push(lanes));
    const { chat } = await store.deliver(["c1", "c2", "c3"].map((id) => command(id, id)));
    const ids = [];
    for (const state of ["in_doubt", "sent", "failed"] as const) {
      ids.push(await store.send(chat, state, { reason: "?" }));
      store.clock.advance(1_000);
    }
    await store.commands.proven(ids[0] ?? 0, "sent", null);
    expect(told.flat()).toEqual([...ids, ids[0]]);
    expect((await reports.lanes()).map(({ lane }) => lane)).toEqual(ids);
    expect((await store.it.store.look()).longestWaitMs.reports).toBe(3_000);
    const head = await reports.headOf(ids[0] ?? 0);
    expect(JSON.parse(head?.body ?? "")).toMatchObject({ report_id: head?.key, state: "in_doubt" });
    await reports.refused(head?.id ?? 0, 7);
    await store.it.reopen();
    const again = store.it.store.reports;
    expect(await again.headOf(ids[0] ?? 0)).toEqual({ ...head, attempts: 1, next_attempt_at: 7 });
    for (let n = 0; n < 2; n += 1) await again.delivered(head?.id ?? 0);
    expect(JSON.parse((await again.headOf(ids[0] ?? 0))?.body ?? "")).toMatchObject({
      state: "resolved",
      outcome: "sent",
    });
    const second = await again.headOf(ids[1] ?? 0);
    expect(await again.dropOld(second?.made_at ?? 0)).toBe(1);
    await again.drop((await again.headOf(ids[2] ?? 0))?.id ?? 0);
    expect(await store.counts()).toMatchObject({ reports_waiting: 1, reports_delivered: 1, reports_dropped: 2 });
    expect(await again.turn(false)).toBe(1);
    await store.deliver([{ ...command("c4", "4"), refusal: { state: "failed", reason: "no" } }]);
    expect(await again.lanes()).toEqual([]);
    expect(await store.counts()).toMatchObject({ reports_waiting: 0, reports_delivered: 1, reports_dropped: 3 });
  });
});
