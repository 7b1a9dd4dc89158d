import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import type { Change, MessageFilter } from "../../sidecar/src/store/index.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { rooms } from "./rooms.ts";

// What an operator may ask and do, in both rooms of the store.

const attempt = { status: 500, nextAttemptAt: 0, waitMs: 1, detach: false };
const reply = (id: string | null, text: string | null = "Yes") => ({
  ...{ commandId: id, type: "send_text", text, payload: JSON.stringify([id, text]), refusal: null },
});

describe.each(rooms())("an operator of $name", (room) => {
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
      async accept(...message: Parameters<typeof messageOf>) {
        return await it.store.messages.accept(messageOf(...message));
      },
      async deadLetter(id: string, chat = ANNA, changes = {}) {
        const { seq } = await it.store.messages.accept(messageOf(id, chat, changes));
        await it.store.messages.dead(seq, 422, "refused", 10);
        return seq;
      },
      async fail(seq: number, times: number) {
        for (let n = 1; n <= times; n++)
          await it.store.messages.failed(seq, { ...attempt, error: `failure ${n}`, durationMs: n });
      },
      /** A command in doubt of this message. */
      async doubt(id: string, changes = {}) {
        const { seq, chat } = await it.store.messages.accept(messageOf(id, ANNA, changes));
        await it.store.messages.delivered(seq, 200, '{"of":1}', [reply(`c-${id}`)]);
        const command = (await it.store.commands.nextOf(chat))?.id ?? 0;
        await it.store.commands.sending(command, "boot");
        await it.store.commands.settled(command, "in_doubt", { reason: "?", said: "hm", whatsappMessageId: null });
        return { seq, chat, command };
      },
      async ledger() {
        const { accepted, delivered, pending, dead, discarded } = await it.store.counters();
        expect(accepted).toBe(delivered + pending + dead + discarded);
        return { pending, dead, discarded };
      },
      async all(filter: MessageFilter, limit: number) {
        const found: number[] = [];
        for (let before: number | null = null, pages = 1; ; pages += 1) {
          const page = await it.store.operator.messages(filter, before, limit);
          found.push(...page.rows.map(({ id }) => id));
          before = page.next;
          if (before === null) return { found, pages };
        }
      },
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("sees the whole life of a message, with the attempts from its beginning and its end", async (test) => {
    await using at = await opened(test);
    const { seq, chat } = await at.accept("A");
    await at.fail(seq, 40);
    const failing = await at.store.operator.message(seq);
    const all = Array.from({ length: 40 }, (_, n) => `${n + 1} failure ${n + 1}`);
    const kept = failing?.failed_attempts.map((one) => `${one.attempt} ${one.error}`);
    expect(kept).toEqual([...all.slice(0, 5), ...all.slice(-20)]);
    expect(failing).toMatchObject({ failed_count: 40, state: "pending", next_attempt_at: null, response: null });
    await at.store.messages.delivered(seq, 200, '{"commands":[]}', [reply("c1"), reply(null, "two")], 12);
    expect(await at.store.operator.message(seq)).toMatchObject({
      ...{
        id: seq,
        message_id: "A",
        chat,
        account_id: "default",
        chat_id: ANNA,
        state: "delivered",
        is_outbound: false,
      },
      ...{ attempts: 41, failed_count: 40, status: 200, duration_ms: 12, response: '{"commands":[]}', retries: [] },
      request: expect.stringContaining('"text":"A"'),
      commands: [
        { command_id: "c1", message: seq, message_id: "A", state: "pending", is_partial: false, reason: null },
        { command_id: null, message: seq, message_id: "A", state: "pending" },
      ],
    });
    expect(await at.store.operator.message(99)).toBeUndefined();
    expect(await at.store.operator.messagesWithId("A")).toMatchObject([{ id: seq, state: "delivered" }]);
  });

  it("is told by the wall clock when a message is tried next", async (test) => {
    await using at = await opened(test);
    const { seq } = await at.accept("A");
    const nextAttemptAt = at.store.provenNow() + 60_000;
    await at.store.messages.failed(seq, { ...attempt, error: "no", nextAttemptAt, detach: true });
    at.clock.jump(5_000);
    const life = await at.store.operator.message(seq);
    expect(life).toMatchObject({ state: "detached", next_attempt_at: at.clock.now() + 60_000 });
  });

  it("sends a dead letter again, before what came after it in its chat, with a new budget", async (test) => {
    await using at = await opened(test);
    const told: Pick<Change, "what" | "id">[] = [];
    const { seq } = await at.accept("A");
    await at.fail(seq, 2);
    await at.store.messages.dead(seq, 500, "refused", 10);
    const { chat } = await at.accept("B");
    at.store.onChange((changes) => told.push(...changes.map(({ what, id }) => ({ what, id }))));
    expect(await at.store.operator.retry(seq, "anna")).toEqual({ done: true, chat });
    expect(await at.store.messages.headOf(chat)).toMatchObject({ message_id: "A", attempts: 0, retrying_ms: 0 });
    await at.fail(seq, 1);
    const life = await at.store.operator.message(seq);
    expect(life?.failed_attempts.map(({ error }) => error)).toEqual(["failure 1", "failure 2", "refused", "failure 1"]);
    expect(life?.retries).toEqual([{ at: at.clock.now(), who: "anna" }]);
    expect(await at.ledger()).toEqual({ pending: 2, dead: 0, discarded: 0 });
    expect(told).toEqual([
      { what: "waits_again", id: seq },
      { what: "attempt_failed", id: seq },
    ]);
  });

  it("does not send one again whose key another chat's message has", async (test) => {
    await using at = await opened(test);
    await at.accept("A", ANNA);
    const { seq, refusal } = await at.accept("A", BEN, { text: "another" });
    expect(refusal).not.toBeNull();
    const repaired = await at.store.operator.retry(seq, "anna");
    expect(repaired).toMatchObject({ done: false, reason: expect.stringContaining("by hand") });
    expect(await at.ledger()).toEqual({ pending: 1, dead: 1, discarded: 0 });
  });

  it("discards a dead letter, which keeps its key and nothing else", async (test) => {
    await using at = await opened(test);
    const seq = await at.deadLetter("A");
    expect(await at.store.operator.discard(seq, "anna")).toMatchObject({ done: true });
    expect(await at.store.operator.message(seq)).toMatchObject({
      ...{ state: "discarded", request: null, failed_count: 1 },
      failed_attempts: [{ attempt: 1, error: "refused", status: 422, duration_ms: 10 }],
    });
    expect(await at.accept("A")).toMatchObject({ duplicate: true });
    for (const again of ["discard", "retry"] as const)
      expect(await at.store.operator[again](seq, "anna")).toMatchObject({ done: false, reason: "it was discarded" });
    expect(await at.ledger()).toEqual({ pending: 0, dead: 0, discarded: 1 });
    const entries = await at.store.operator.audit(null, 10);
    expect(entries.map(({ who, action, kind, subject, result }) => [who, action, kind, subject, result])).toEqual([
      ["anna", "retry", "message", seq, "it was discarded"],
      ["anna", "discard", "message", seq, "it was discarded"],
      ["anna", "discard", "message", seq, "done"],
    ]);
  });

  it("repairs nothing else, and is told why", async (test) => {
    await using at = await opened(test);
    const { seq, chat } = await at.accept("A");
    for (const what of ["discard", "retry"] as const)
      expect(await at.store.operator[what](seq, "anna")).toMatchObject({
        ...{ done: false, found: true, reason: expect.stringContaining("it is pending") },
      });
    expect(await at.store.operator.retry(99, "anna")).toMatchObject({ done: false, found: false });
    expect(await at.store.operator.resolve(99, "sent", "anna")).toMatchObject({ done: false, found: false });
    await at.store.messages.delivered(seq, 200, "{}", [reply("c1")]);
    const id = (await at.store.commands.nextOf(chat))?.id ?? 0;
    expect(await at.store.operator.resolve(id, "resend", "anna")).toMatchObject({
      ...{ done: false, found: true, reason: expect.stringContaining("only a command in doubt") },
    });
    expect(await at.store.operator.audit(null, 10)).toHaveLength(3);
  });

  it("says what became of a command in doubt, and Hot Bags is told", async (test) => {
    await using at = await opened(test);
    const [sent, resend, discard] = [await at.doubt("A"), await at.doubt("B"), await at.doubt("C")];
    expect(await at.store.operator.resolve(sent.command, "sent", "anna")).toEqual({ done: true, chat: sent.chat });
    expect(await at.store.operator.resolve(resend.command, "resend", "anna")).toMatchObject({ done: true });
    expect(await at.store.operator.resolve(discard.command, "discard", "anna")).toMatchObject({ done: true });
    expect(await at.store.operator.resolve(discard.command, "sent", "anna")).toMatchObject({ done: false });
    expect(await at.store.operator.command(sent.command)).toMatchObject({ state: "sent", reason: null, said: null });
    expect(await at.store.operator.command(discard.command)).toMatchObject({
      ...{ state: "failed", reason: "discarded by the operator", said: null },
    });
    expect(await at.store.commands.nextOf(resend.chat)).toMatchObject({ id: resend.command, gateway_process: null });
    expect(await at.store.counters()).toMatchObject({
      ...{ commands_in_doubt: 0, commands_pending: 1, commands_sent: 1, commands_failed: 1 },
    });
    const bodies = await at.it.look<{ body: string }>("SELECT body FROM reports WHERE lane > 0 ORDER BY id");
    const told = bodies.map(({ body }) => JSON.parse(body)).filter(({ state }) => state === "resolved");
    expect(told.map(({ command_id, outcome }) => [command_id, outcome])).toEqual([
      ["c-A", "sent"],
      ["c-B", "pending"],
      ["c-C", "failed"],
    ]);
  });

  it("lists each message once, page by page, however few of many are wanted", async (test) => {
    await using at = await opened(test);
    const ids = Array.from({ length: 2_500 }, (_, n) => `M${n}`);
    const accepted = await Promise.all(
      ids.map((id, n) => at.store.messages.accept(messageOf(id, n % 1_000 === 7 ? BEN : ANNA))),
    );
    const dead = accepted.filter((_, n) => n % 500 === 0).map(({ seq }) => seq);
    for (const seq of dead) await at.store.messages.dead(seq, 422, "refused");
    const newestFirst = (seqs: number[]) => seqs.toSorted((a, b) => b - a);
    expect((await at.all({}, 500)).found).toEqual(newestFirst(accepted.map(({ seq }) => seq)));
    expect(await at.all({ states: ["dead"] }, 500)).toEqual({ found: newestFirst(dead), pages: 1 });
    expect((await at.all({ states: ["dead"] }, 3)).found).toEqual(newestFirst(dead));
    const ben = accepted.filter((_, n) => n % 1_000 === 7).map(({ seq }) => seq);
    expect(await at.all({ chatId: BEN }, 500)).toEqual({ found: newestFirst(ben), pages: 1 });
    expect(await at.all({ chatId: BEN }, 2)).toEqual({ found: newestFirst(ben), pages: 2 });
    expect(await at.all({ chatId: "+15550009999" }, 2)).toEqual({ found: [], pages: 1 });
    expect((await at.all({ states: ["pending", "dead"], since: at.clock.now() + 1 }, 500)).found).toEqual([]);
    const first = await at.store.operator.deadSince(0, 0, 2);
    expect(first).toEqual({ ids: dead.slice(0, 2), next: dead[1] });
    expect(await at.store.operator.deadSince(0, dead[1] ?? 0, 10)).toEqual({ ids: dead.slice(2), next: null });
    expect(await at.store.operator.deadSince(at.clock.now() + 1, 0, 10)).toEqual({ ids: [], next: null });
  });

  it("lists a number's messages with every account, in their order, and each state for itself", async (test) => {
    await using at = await opened(test);
    const accepted = [];
    for (const [n, account_id] of ["default", "outlet", "default", "outlet", "outlet"].entries()) {
      await at.accept(`other-${n}`, BEN);
      accepted.push(await at.accept(`M${n}`, ANNA, { account_id }));
    }
    const newestFirst = accepted.map(({ seq }) => seq).toReversed();
    const { rows, next } = await at.store.operator.messages({ chatId: ANNA }, null, 3);
    expect(rows.map(({ id }) => id)).toEqual(newestFirst.slice(0, 3));
    const rest = await at.store.operator.messages({ chatId: ANNA }, next, 3);
    expect([rest.rows.map(({ id }) => id), rest.next]).toEqual([newestFirst.slice(3), null]);
    const ids = async (filter: MessageFilter) =>
      (await at.store.operator.messages(filter, null, 50)).rows.map(({ message_id }) => message_id);
    expect(await ids({ chatId: ANNA, accountId: "outlet" })).toEqual(["M4", "M3", "M1"]);
    await at.store.messages.failed(accepted[0]?.seq ?? 0, { ...attempt, error: "no", detach: true });
    await at.store.messages.dead(accepted[1]?.seq ?? 0, 400, "no");
    await at.store.operator.discard(accepted[1]?.seq ?? 0, "anna");
    await at.store.messages.delivered(accepted[2]?.seq ?? 0, 200, "{}", []);
    expect(await ids({ states: ["detached"] })).toEqual(["M0"]);
    expect(await ids({ states: ["discarded"] })).toEqual(["M1"]);
    expect(await ids({ states: ["delivered", "discarded"] })).toEqual(["M2", "M1"]);
    expect(await ids({ states: ["pending"], chatId: ANNA })).toEqual(["M4", "M3"]);
  });

  it("lists commands, and sees what each says besides its text", async (test) => {
    await using at = await opened(test);
    const { seq } = await at.accept("A");
    const file = { details: '{"mime_type":"application/pdf"}', file: Buffer.from("prices") };
    await at.store.messages.delivered(seq, 200, "{}", [{ ...reply("F", ""), ...file }, reply("T", "hello")]);
    await at.doubt("B", { account_id: "shop" });
    const ids = async (
      filter: Parameters<typeof at.store.operator.commands>[0],
      before: number | null,
      limit: number,
    ) => {
      const { rows, next } = await at.store.operator.commands(filter, before, limit);
      return [rows.map(({ command_id }) => command_id), next !== null];
    };
    expect(await ids({}, null, 10)).toEqual([["c-B", "T", "F"], false]);
    expect(await ids({}, null, 2)).toEqual([["c-B", "T"], true]);
    expect(await ids({ states: ["in_doubt"] }, null, 10)).toEqual([["c-B"], false]);
    expect(await ids({ states: ["pending"], chatId: ANNA }, null, 10)).toEqual([["T", "F"], false]);
    expect(await ids({ accountId: "shop" }, null, 10)).toEqual([["c-B"], false]);
    expect(await ids({ since: at.clock.now() + 1 }, null, 10)).toEqual([[], false]);
    const found = await at.store.operator.commandWithId("F");
    expect(await at.store.operator.command(found?.id ?? 0)).toEqual({
      ...found,
      ...{ text: "", details: file.details, file_bytes: 6, said: null },
    });
    expect(await at.store.operator.commandWithId("none")).toBeUndefined();
  });

  it("lists chats by their last message, and sees what was said in one", async (test) => {
    await using at = await opened(test);
    await at.accept("A", ANNA);
    const { chat } = await at.accept("B", BEN);
    const third = await at.accept("C", ANNA, { account_id: "shop" });
    const last = await at.accept("D", ANNA);
    const { rows } = await at.store.operator.chats({}, null, 10);
    expect(rows.map((row) => [row.account_id, row.chat_id, row.id])).toEqual([
      ["default", ANNA, last.seq],
      ["shop", ANNA, third.seq],
      ["default", BEN, expect.any(Number)],
    ]);
    const some = async (filter: object, limit = 10) =>
      (await at.store.operator.chats(filter, null, limit)).rows.map((row) => row.chat);
    expect(await some({}, 2)).toEqual([last.chat, third.chat]);
    expect(await some({ accountId: "shop" })).toEqual([third.chat]);
    expect(await some({ chatId: ANNA })).toEqual([last.chat, third.chat]);
    expect(await some({ chatId: ANNA, accountId: "default" })).toEqual([last.chat]);
    const { seq } = await at.accept("E", BEN);
    await at.store.messages.delivered(seq, 200, "{}", [reply("c1"), reply("c2")]);
    await at.doubt("F");
    await at.deadLetter("G", BEN);
    const counts = await at.store.operator.chatCounts([chat, last.chat]);
    expect(counts.get(chat)).toEqual({ messages: 3, waiting: 3, dead: 1, in_doubt: 0 });
    expect(counts.get(last.chat)).toEqual({ messages: 3, waiting: 2, dead: 0, in_doubt: 1 });
    const said = await at.store.operator.conversation(chat, null, 2);
    expect(said).toMatchObject([
      { state: "dead", detached: 0, commands: [] },
      { id: seq, state: "delivered", outbound: null, commands: [{ text: "Yes" }, { text: "Yes", file_bytes: null }] },
    ]);
    expect(said[1]?.request).toContain('"text":"E"');
    expect(await at.store.operator.conversation(chat, seq, 5)).toHaveLength(1);
    expect(await at.store.operator.chatOf(chat)).toEqual({ account_id: "default", chat_id: BEN });
    expect(await at.store.operator.chat("default", BEN)).toBe(chat);
    expect(await at.store.operator.chat("default", "+1")).toBeUndefined();
  });

  it("sees which sidecar works on which account, where several share the store", async (test) => {
    await using at = await opened(test);
    await at.accept("A");
    await at.deadLetter("B", BEN);
    await at.doubt("C", { account_id: "shop" });
    const none = { waiting: 0, dead: 0, replies_waiting: 0, replies_in_doubt: 0 };
    const here = { owner: "here", since: expect.any(Number), is_beside: true, wanted_by: null, ...none };
    expect(await at.store.operator.fleet()).toEqual(
      room.name === "SQLite"
        ? null
        : [
            { ...here, account_id: "default", waiting: 1, dead: 1 },
            { ...here, account_id: "outlet" },
            { ...here, account_id: "shop", replies_in_doubt: 1 },
          ],
    );
  });

  it("reads a file that a message came with, and leaves a line of that", async (test) => {
    await using at = await opened(test);
    const bytes = Buffer.from("a picture");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const body = (async function* () {
      yield bytes;
    })();
    await at.store.files.receive(sha256, { offset: 0, length: bytes.length, body });
    const item = { type: "image" as const, mime_type: null, file_name: null, size_bytes: bytes.length, sha256 };
    const { seq } = await at.accept("A", ANNA, { media: [item] });
    const file = await at.store.operator.file(seq, 0);
    const pieces: Buffer[] = [];
    if (file) for await (const piece of file.read()) pieces.push(Buffer.from(piece));
    expect([file?.bytes, Buffer.concat(pieces)]).toEqual([bytes.length, bytes]);
    expect(await at.store.operator.file(seq, 1)).toBeUndefined();
    const entry = { who: "anna", action: "look at a file", kind: "chat", subject: 1, result: "done" } as const;
    await at.store.operator.note(entry);
    expect(await at.store.operator.audit(null, 1)).toEqual([{ id: 1, at: at.clock.now(), ...entry, chat_id: ANNA }]);
  });
});
