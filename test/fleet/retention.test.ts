import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import type { MediaItem } from "../../shared/src/index.ts";
import { DEFAULT_MEDIA_LIMITS } from "../../sidecar/src/store/index.ts";
import { messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { rooms } from "./rooms.ts";

// What is forgotten, and when, in both rooms of the store.

const DAY_MS = 24 * 3_600_000;
const KEEP = { textsDays: 30, keysDays: 90, deadLettersDays: 90 };
const NOTHING = { texts: 0, keys: 0, files: 0, deadLetters: 0 };

describe.each(rooms())("what is old in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext, storeBytes = DEFAULT_MEDIA_LIMITS.storeBytes) {
    const clock = new SimulatedClock();
    const it = await room.open(test, clock, { storeBytes });
    const { files } = it.store;
    const nameOf = (text: string) => createHash("sha256").update(text).digest("hex");
    const receive = (text: string) => {
      const body = (async function* () {
        yield Buffer.from(text);
      })();
      return files.receive(nameOf(text), { offset: 0, length: text.length, body });
    };
    const put = async (text: string): Promise<MediaItem> => {
      await receive(text);
      return { type: "image", mime_type: null, file_name: null, size_bytes: text.length, sha256: nameOf(text) };
    };
    const column = async (statement: string) =>
      (await it.look<Record<string, unknown>>(statement)).map((row) => Object.values(row)[0]);
    return {
      it,
      clock,
      put,
      receive,
      isHere: (text: string) => existsSync(join(it.dir, "media", nameOf(text))),
      get store() {
        return it.store;
      },
      pass: (days: number) => clock.advance(days * DAY_MS),
      sweep: (keep = KEEP) => it.store.retention.sweep(keep),
      async accept(id: string, texts: string[] = []) {
        const media: MediaItem[] = [];
        for (const text of texts) media.push(await put(text));
        return await it.store.messages.accept(messageOf(id, undefined, { media }));
      },
      async deliver(id: string, commandState: "pending" | "sent" | "in_doubt", texts: string[] = []) {
        const { seq, chat } = await this.accept(id, texts);
        const more = { details: `details of ${id}`, file: Buffer.from(`file of ${id}`) };
        const command = { commandId: `c-${id}`, type: "send_text", text: `to ${id}`, payload: id, refusal: null };
        await it.store.messages.delivered(seq, 200, `{"of":"${id}"}`, [{ ...command, ...more }]);
        if (commandState === "pending") return;
        const row = (await it.store.commands.nextOf(chat))?.id ?? 0;
        await it.store.commands.sending(row, "boot");
        const settlement = { reason: null, said: `of ${id}`, whatsappMessageId: null };
        await it.store.commands.settled(row, commandState, settlement);
      },
      texts: () => column("SELECT m.message_id FROM messages m JOIN payloads p USING (seq) ORDER BY m.seq"),
      keys: () => column("SELECT message_id FROM messages ORDER BY seq"),
      replies: () =>
        column(
          "SELECT count(*) FROM commands WHERE text IS NOT NULL OR details IS NOT NULL OR file IS NOT NULL OR said IS NOT NULL",
        ),
      files: () => readdirSync(join(it.dir, "media")).length,
      column,
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("goes text first, then key, and no key before its time", async (test) => {
    await using at = await opened(test);
    await at.deliver("A", "sent");
    at.pass(29);
    expect(await at.sweep()).toEqual(NOTHING);
    at.pass(2);
    expect(await at.sweep()).toEqual({ ...NOTHING, texts: 1 });
    expect([await at.texts(), await at.keys(), (await at.replies()).map(Number)]).toEqual([[], ["A"], [0]]);
    at.pass(58);
    await at.it.reopen();
    expect((await at.accept("A")).duplicate).toBe(true);
    expect(await at.sweep()).toEqual(NOTHING);
    at.pass(3);
    expect(await at.sweep()).toEqual({ ...NOTHING, keys: 1 });
    expect([await at.keys(), await at.column("SELECT id FROM commands")]).toEqual([[], []]);
    expect(await at.store.counters()).toMatchObject({ accepted: 1, delivered: 1, commands_sent: 1 });
  });

  it("goes each kind in its own time, and a key never before its text", async (test) => {
    await using at = await opened(test);
    const keep = { textsDays: 100, keysDays: 8, deadLettersDays: 5 };
    await at.deliver("A", "sent");
    const dead = await at.accept("dead");
    await at.store.messages.dead(dead.seq, 400, "refused");
    at.pass(6);
    expect(await at.sweep(keep)).toEqual({ ...NOTHING, deadLetters: 1 });
    expect([await at.texts(), await at.keys()]).toEqual([["A"], ["A", "dead"]]);
    at.pass(90);
    expect(await at.sweep(keep)).toEqual(NOTHING);
    at.pass(5);
    expect(await at.sweep(keep)).toEqual({ ...NOTHING, texts: 1, keys: 1 });
    at.pass(6);
    expect(await at.sweep(keep)).toEqual({ ...NOTHING, keys: 1 });
  });

  it("is discarded where it is a dead letter, with its files, and its key is still known", async (test) => {
    await using at = await opened(test);
    const dead = await at.accept("dead", ["one"]);
    await at.store.messages.dead(dead.seq, 400, "refused");
    at.pass(89);
    expect(await at.sweep()).toEqual(NOTHING);
    at.pass(1.5);
    expect(await at.sweep()).toEqual({ ...NOTHING, files: 1, deadLetters: 1 });
    expect([await at.texts(), at.files()]).toEqual([[], 0]);
    expect(await at.store.counters()).toMatchObject({ accepted: 1, dead: 0, discarded: 1 });
    expect((await at.accept("dead")).duplicate).toBe(true);
    expect(await at.column("SELECT last_error FROM messages WHERE discarded_at IS NOT NULL")).toEqual(["refused"]);
  });

  it("stays with its files where it waits or is in doubt", async (test) => {
    await using at = await opened(test);
    await at.deliver("in-doubt", "in_doubt", ["one"]);
    await at.deliver("reply-waits", "pending");
    await at.accept("waits", ["two"]);
    at.pass(1_000);
    expect(await at.sweep()).toEqual(NOTHING);
    expect([await at.texts(), at.files()]).toEqual([["in-doubt", "reply-waits", "waits"], 2]);
  });

  it("goes in chunks, while others are taken in between", async (test) => {
    await using at = await opened(test);
    const ids = Array.from({ length: 600 }, (_, n) => `M${n}`);
    const accepted = await Promise.all(ids.map((id) => at.store.messages.accept(messageOf(id))));
    await Promise.all(accepted.map(({ seq }) => at.store.messages.delivered(seq, 200, "{}", [])));
    at.pass(40);
    const [gone, meanwhile] = await Promise.all([at.sweep(), at.accept("meanwhile")]);
    expect([gone, meanwhile.duplicate]).toEqual([{ ...NOTHING, texts: 600 }, false]);
    expect(await at.texts()).toEqual(["meanwhile"]);
    at.pass(60);
    expect(await at.sweep()).toEqual({ ...NOTHING, keys: 600 });
    expect(await at.store.counters()).toMatchObject({ accepted: 601, delivered: 600, pending: 1 });
  });

  it("takes a file along with the last message that has it, and what no message has after a day", async (test) => {
    await using at = await opened(test);
    await at.deliver("A", "sent", ["alone", "shared", "shared"]);
    at.pass(20);
    await at.deliver("B", "sent", ["shared"]);
    await at.put("nobody's");
    expect(await at.sweep()).toEqual(NOTHING);
    at.pass(1.5);
    expect(await at.sweep()).toEqual({ ...NOTHING, files: 1 });
    at.pass(13.5);
    expect(await at.sweep()).toEqual({ ...NOTHING, texts: 1, files: 1 });
    expect([at.files(), await at.texts()]).toEqual([1, ["B"]]);
    at.pass(20);
    expect(await at.sweep()).toEqual({ ...NOTHING, texts: 1, files: 1 });
    expect([at.files(), await at.keys()]).toEqual([0, ["A", "B"]]);
  });

  it("leaves a file whose message is accepted while it is swept", async (test) => {
    await using at = await opened(test);
    const media = [await at.put("in the nick of time")];
    at.pass(2);
    const [gone] = await Promise.all([at.sweep(), at.store.messages.accept(messageOf("A", undefined, { media }))]);
    expect(gone).toMatchObject({ files: 0 });
    at.pass(2);
    expect(await at.sweep()).toMatchObject({ files: 0 });
  });

  it("makes room for new files: of what is delivered, the oldest first, and no more than it takes", async (test) => {
    await using at = await opened(test, 30);
    const texts = ["a".repeat(10), "b".repeat(10), "c".repeat(10)];
    const [a, b, c] = [
      await at.accept("A", texts.slice(0, 1)),
      await at.accept("B", texts.slice(1, 2)),
      await at.accept("C", texts.slice(2)),
    ];
    for (const { seq } of [b, a, c]) {
      at.clock.advance(1_000);
      await at.store.messages.delivered(seq, 200, "{}", []);
    }
    expect(await at.receive("d".repeat(10))).toMatchObject({ kind: "whole" });
    expect(texts.map(at.isHere)).toEqual([true, false, true]);
    expect(await at.receive("e".repeat(18))).toMatchObject({ kind: "whole" });
    expect(texts.map(at.isHere)).toEqual([false, false, false]);
    expect(at.store.files.status).toEqual({ count: 2, bytes: 28, limitBytes: 30, givenUp: 3 });
    expect(await at.column("SELECT sha256 FROM media")).toEqual([]);
  });

  it("makes no room with a file that a message waits with, is dead with, or is still to come for", async (test) => {
    await using at = await opened(test, 40);
    const [shared, dead, toCome, done] = ["s".repeat(10), "d".repeat(10), "t".repeat(10), "o".repeat(10)];
    const { seq } = await at.accept("A", [shared]);
    await at.store.messages.delivered(seq, 200, "{}", []);
    const waits = await at.accept("B", [shared]);
    await at.store.messages.dead((await at.accept("C", [dead])).seq, 400, "refused");
    await at.put(toCome);
    const old = await at.accept("D", [done]);
    await at.store.messages.delivered(old.seq, 200, "{}", []);
    expect(await at.receive("n".repeat(10))).toMatchObject({ kind: "whole" });
    expect([shared, dead, toCome, done].map(at.isHere)).toEqual([true, true, true, false]);
    expect(await at.receive("m")).toMatchObject({ kind: "no_room" });
    await at.store.messages.delivered(waits.seq, 200, "{}", []);
    expect(await at.receive("m")).toMatchObject({ kind: "whole" });
    expect(at.isHere(shared)).toBe(false);
  });

  it("makes room for many uploads at once, and never costs a message its file", async (test) => {
    await using at = await opened(test, 30);
    const old = ["a".repeat(10), "b".repeat(10), "c".repeat(10)];
    for (const [n, text] of old.entries())
      await at.store.messages.delivered((await at.accept(`M${n}`, [text])).seq, 200, "{}", []);
    const again = await at.put(old[2] ?? "");
    const media = [again];
    const accept = async () => await at.store.messages.accept(messageOf("again", undefined, { media }));
    const [kinds, accepted] = await Promise.all([
      Promise.all(["d".repeat(10), "e".repeat(10), "f".repeat(10)].map(at.receive)),
      accept().then(
        () => true,
        () => false,
      ),
    ]);
    // Either it was in time, and its file is kept, or the file was gone, and it has to come again.
    expect(at.isHere(old[2] ?? "")).toBe(accepted);
    expect(kinds.filter(({ kind }) => kind === "whole")).toHaveLength(accepted ? 2 : 3);
  });
});
