import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import type { InboundMessage } from "../../shared/src/index.ts";
import { systemClock } from "../../sidecar/src/clock.ts";
import type { Change, CommandFromResponse } from "../../sidecar/src/store/index.ts";
import { rooms } from "./rooms.ts";

// What is promised of messages, in both rooms of the store.

function message(id: string, chat = "+15550001000", account = "default"): InboundMessage {
  return {
    account_id: account,
    message_id: id,
    chat_id: chat,
    from: "+15550001000",
    text: `text of ${id}`,
    media: [],
    timestamp: "2026-03-01T12:00:00.000Z",
    raw: { To: "+15559990000" },
  };
}

function command(id: string | null, text: string): CommandFromResponse {
  return { commandId: id, type: "send_text", text, payload: JSON.stringify(["send_text", text]), refusal: null };
}

const attempt = { error: "no", status: 422, nextAttemptAt: 1, waitMs: 1, detach: true };

describe.each(rooms())("messages in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext) {
    const it = await room.open(test, systemClock);
    return {
      it,
      get messages() {
        return it.store.messages;
      },
      async expectLedger(counts: { accepted: number; delivered: number; pending: number; dead: number }) {
        expect(await it.store.counters()).toMatchObject(counts);
        expect(counts.accepted).toBe(counts.delivered + counts.pending + counts.dead);
      },
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("are accepted once, however often they come, also in one turn", async (test) => {
    await using store = await opened(test);
    const first = await store.messages.accept(message("A"));
    const second = await store.messages.accept({ ...message("A"), text: "told again" });
    expect([first.duplicate, second.duplicate, second.seq]).toEqual([false, true, first.seq]);
    const both = await Promise.all([store.messages.accept(message("B")), store.messages.accept(message("B"))]);
    expect(both.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    expect((await store.messages.headOf(first.chat))?.request).toContain("text of A");
    await store.expectLedger({ accepted: 2, delivered: 0, pending: 2, dead: 0 });
  });

  it("whose id another chat has used are kept as dead letters, and it is said why", async (test) => {
    await using store = await opened(test);
    await store.messages.accept(message("A"));
    const other = await store.messages.accept(message("A", "+15550002000"));
    expect(other).toMatchObject({ duplicate: false, refusal: expect.stringContaining("another chat") });
    expect(await store.messages.headOf(other.chat)).toBeUndefined();
    const again = await store.messages.accept(message("A", "+15550002000"));
    expect(again).toMatchObject({ duplicate: true, seq: other.seq });
    await store.expectLedger({ accepted: 2, delivered: 0, pending: 1, dead: 1 });
    expect((await store.it.store.failures()).dead).toMatchObject({ message_id: "A", count: 1 });
  });

  it("that two accounts got in one group are one, and what only looks like it has used the id", async (test) => {
    await using store = await opened(test);
    const group = "120363000000000001@g.us";
    const first = await store.messages.accept(message("A", group));
    const copy = await store.messages.accept({ ...message("A", group), account_id: "outlet" });
    expect(copy).toMatchObject({ duplicate: true, seq: first.seq, chat: first.chat });
    const other = await store.messages.accept({ ...message("A", group), account_id: "outlet", from: "+15550002000" });
    expect(other).toMatchObject({ duplicate: false, refusal: expect.stringContaining("another chat") });
    await store.expectLedger({ accepted: 2, delivered: 0, pending: 1, dead: 1 });
  });

  it("with a file that is not here wait for it, and what comes behind in the chat does, too", async (test) => {
    await using store = await opened(test);
    const file = { type: "image", mime_type: null, file_name: null, size_bytes: 4, sha256: "a".repeat(64) } as const;
    const jobs = [
      store.messages.accept(message("before")),
      store.messages.accept({ ...message("file"), media: [file] }),
      store.messages.accept(message("behind")),
      store.messages.accept(message("elsewhere", "+15550002000")),
    ];
    const ends = await Promise.allSettled(jobs);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(ends[1]).toMatchObject({ reason: { name: "FileMissingError" } });
    await store.expectLedger({ accepted: 2, delivered: 0, pending: 2, dead: 0 });
  });

  it("of a chat are given in the order of arrival, each chat for itself, also after a restart", async (test) => {
    await using store = await opened(test);
    const ids = Array.from({ length: 30 }, (_, n) => `m${n}`);
    const taken = await Promise.all(ids.map((id, n) => store.messages.accept(message(id, `+1555000${n % 3}000`))));
    await store.it.reopen();
    const chats = taken.slice(0, 3).map(({ chat }) => chat);
    expect((await store.messages.laneHeads()).map(({ chat }) => chat)).toEqual(chats);
    for (const [n, { chat, seq }] of taken.entries()) {
      const head = await store.messages.headOf(chat);
      expect(head).toMatchObject({ message_id: `m${n}`, seq, attempts: 0, inlined: [], account_id: "default" });
      expect(await store.messages.headSeqOf(chat)).toBe(seq);
      expect((await store.messages.behind(chat, seq))?.message_id).toBe(ids[n + 3]);
      await store.messages.delivered(seq, 200, "{}", []);
    }
    expect(await store.messages.laneHeads()).toEqual([]);
    await store.expectLedger({ accepted: 30, delivered: 30, pending: 0, dead: 0 });
  });

  it("have a lane for each account", async (test) => {
    await using store = await opened(test);
    const one = await store.messages.accept(message("A", "+15550001000", "shop"));
    const two = await store.messages.accept(message("B", "+15550001000", "outlet"));
    expect(one.chat).not.toBe(two.chat);
  });

  it("that are at fault themselves leave their chat's way, and are given by when they are due", async (test) => {
    await using store = await opened(test);
    const [a, , c, d] = [
      await store.messages.accept(message("A")),
      await store.messages.accept(message("B")),
      await store.messages.accept(message("C", "+15550002000")),
      await store.messages.accept(message("D", "+15550002000")),
    ];
    await Promise.all([
      store.messages.failed(a.seq, { ...attempt, nextAttemptAt: 40, waitMs: 60_000 }),
      store.messages.failed(c.seq, { ...attempt, nextAttemptAt: 30 }),
      store.messages.failed(d.seq, { ...attempt, nextAttemptAt: 20 }),
    ]);
    await store.it.reopen();
    expect((await store.messages.headOf(a.chat))?.message_id).toBe("B");
    expect(await store.messages.detachedHeads()).toEqual([
      { chat: a.chat, next_attempt_at: 40 },
      { chat: c.chat, next_attempt_at: 20 },
    ]);
    const first = await store.messages.firstDetachedOf(a.chat);
    expect(first).toMatchObject({ message_id: "A", attempts: 1, retrying_ms: 60_000 });
    expect((await store.messages.firstDetachedOf(c.chat))?.message_id).toBe("D");
    expect(await store.messages.detachedDueOf(c.chat)).toBe(20);
  });

  it("that are detached are counted once each, and for as long as they wait", async (test) => {
    await using store = await opened(test);
    const [one, two] = [await store.messages.accept(message("A")), await store.messages.accept(message("B"))];
    const detached = async () => (await store.it.store.counters()).detached;
    expect(await store.messages.failed(one.seq, { ...attempt, detach: false })).toBe(false);
    expect(await detached()).toBe(0);
    const twice = [store.messages.failed(one.seq, attempt), store.messages.failed(one.seq, attempt)];
    expect(await Promise.all(twice)).toEqual([true, false]);
    await store.messages.failed(two.seq, attempt);
    expect(await detached()).toBe(2);
    await store.messages.delivered(one.seq, 200, "{}", []);
    await store.messages.dead(two.seq, 422, "no");
    expect(await detached()).toBe(0);
    expect((await store.it.store.failures()).detached).toMatchObject({ message_id: "B", reason: "no", count: 3 });
  });

  it("have the same bytes in each attempt, without what no Postgres takes", async (test) => {
    await using store = await opened(test);
    const text = "\u0000 👩‍👩‍👧 مرحبا \ud800 \n";
    const raw = { SenderName: "An\0na", "ReplyTo\0Body": [{ text: "\ud83d" }], kept: "\\u0000" };
    const { chat, seq } = await store.messages.accept({ ...message("A"), text, raw });
    const before = (await store.messages.headOf(chat))?.request;
    await store.messages.failed(seq, { ...attempt, detach: false });
    await store.it.reopen();
    expect((await store.messages.headOf(chat))?.request).toBe(before);
    const body = JSON.parse(before ?? "");
    expect(body.text).toBe("\ufffd 👩‍👩‍👧 مرحبا \ufffd \n");
    expect(body.raw).toEqual({ SenderName: "An\ufffdna", "ReplyTo\ufffdBody": [{ text: "\ufffd" }], kept: "\\u0000" });
  });

  it("are settled once, and keep the first 5 and the last 20 of their attempts", async (test) => {
    await using store = await opened(test);
    const { seq } = await store.messages.accept(message("A"));
    for (let n = 1; n <= 30; n += 1)
      await store.messages.failed(seq, { ...attempt, detach: false, durationMs: 1, error: `e${n}` });
    const kept = await store.it.look<{ attempt: number; error: string }>(
      "SELECT attempt, error FROM attempts ORDER BY attempt",
    );
    const expected = [1, 2, 3, 4, 5, ...Array.from({ length: 20 }, (_, n) => n + 11)];
    expect(kept).toEqual(expected.map((n) => ({ attempt: n, error: `e${n}` })));
    await store.messages.dead(seq, 400, "refused");
    await store.messages.dead(seq, 400, "refused");
    expect(await store.messages.failed(seq, { ...attempt, detach: false })).toBe(false);
    await store.expectLedger({ accepted: 1, delivered: 0, pending: 0, dead: 1 });
    expect((await store.it.store.failures()).dead).toMatchObject({ reason: "refused", count: 1 });
  });

  it("that are given up are dead letters, and what was answered of them is not lost", async (test) => {
    await using store = await opened(test);
    const [one, two] = [await store.messages.accept(message("A")), await store.messages.accept(message("B"))];
    await store.messages.giveUp(one.seq, false);
    const head = await store.messages.headOf(one.chat);
    expect(head?.seq).toBe(two.seq);
    if (!head) return;
    const recorded = await store.messages.giveUpDelivered(head, false, [command("c1", "Yes")]);
    expect(recorded).toMatchObject([{ outcome: "pending" }]);
    expect(await store.messages.headOf(one.chat)).toBeUndefined();
    expect(await store.it.store.commands.nextOf(one.chat)).toMatchObject({ command_id: "c1" });
    await store.expectLedger({ accepted: 2, delivered: 1, pending: 0, dead: 1 });
  });

  it("say when they came, how long they wait and to which number they were written", async (test) => {
    await using store = await opened(test);
    expect(await store.it.store.look()).toMatchObject({ lastAccepted: null, lastDeliveredAgoMs: null });
    const { seq, chat } = await store.messages.accept(message("A"));
    const { lastAccepted } = await store.it.store.look();
    expect(lastAccepted).toEqual({ at: expect.any(Number), agoMs: expect.any(Number) });
    await store.messages.delivered(seq, 200, "{}", [command("c1", "yes")]);
    expect(await store.it.store.commands.nextOf(chat)).toMatchObject({ writtenTo: "+15559990000" });
    const look = await store.it.store.look();
    expect([look.lastDeliveredAgoMs, look.longestWaitMs.messages]).toEqual([expect.any(Number), 0]);
  });

  it("tell of each change, once it is written", async (test) => {
    await using store = await opened(test);
    const told: Pick<Change, "kind" | "what" | "reason">[] = [];
    store.it.store.onChange((changes) =>
      told.push(...changes.map(({ kind, what, reason }) => ({ kind, what, reason }))),
    );
    const { seq } = await store.messages.accept(message("A"));
    await store.messages.accept(message("A", "+15550002000"));
    await store.messages.failed(seq, attempt);
    await store.messages.delivered(seq, 200, "{}", [command("c1", "Yes"), command("c1", "No")]);
    const message_id = "its message_id was already used in another chat";
    expect(told).toEqual([
      { kind: "message", what: "accepted", reason: null },
      { kind: "message", what: "dead", reason: message_id },
      { kind: "message", what: "attempt_failed", reason: "no" },
      { kind: "message", what: "delivered", reason: null },
      { kind: "command", what: "pending", reason: null },
      { kind: "command", what: "failed", reason: "its command_id was already used for another command" },
    ]);
  });
});
