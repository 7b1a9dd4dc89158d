import { createHash, randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { type MediaItem, OMITTED } from "../../shared/src/index.ts";
import { Body } from "../../sidecar/src/relay/body.ts";
import { DEFAULT_MEDIA_LIMITS, isDamage, type PendingMessage } from "../../sidecar/src/store/index.ts";
import { messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { rooms } from "./rooms.ts";

// What is promised of a message's files, in both rooms of the store.

const ROWS = "SELECT position, place IS NULL AS described, delivered_at IS NOT NULL AS delivered FROM media";

describe.each(rooms())("files in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext, inlineBytes = DEFAULT_MEDIA_LIMITS.inlineBytes) {
    const it = await room.open(test, new SimulatedClock(), { inlineBytes });
    const { messages } = it.store;
    let accepted = 0;
    return {
      it,
      get messages() {
        return it.store.messages;
      },
      /** Takes a file of so many bytes in. */
      async item(size: number, file_name: string | null = null): Promise<MediaItem> {
        const bytes = randomBytes(size);
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        const body = (async function* () {
          yield bytes;
        })();
        await it.store.files.receive(sha256, { offset: 0, length: size, body });
        return { type: "image", mime_type: "image/jpeg", file_name, size_bytes: size, sha256 };
      },
      async accept(media: MediaItem[], text = "look"): Promise<PendingMessage> {
        const { chat, seq } = await messages.accept(messageOf(`m${++accepted}`, undefined, { media, text }));
        const head = await messages.headOf(chat);
        if (head?.seq !== seq) throw new Error("it is not the head");
        return head;
      },
      /** What each item of its body is: how many bytes, or why there are none. */
      async inlined(message: PendingMessage) {
        const pieces: Buffer[] = [];
        for await (const piece of new Body(message, it.store.files).pieces()) pieces.push(piece);
        const { media } = JSON.parse(Buffer.concat(pieces).toString()) as {
          media: { data_base64?: string; omitted?: string }[];
        };
        return media.map(({ data_base64, omitted }) => omitted ?? Buffer.from(data_base64 ?? "", "base64").length);
      },
      rows: async () =>
        (await it.look<Record<string, unknown>>(`${ROWS} ORDER BY seq, position`)).map(
          ({ position, described, delivered }) => [position, Boolean(described), Boolean(delivered)],
        ),
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("go along as far as they fit, once decided also after a restart with another setting", async (test) => {
    await using store = await opened(test, 1_000);
    const media = [await store.item(600), await store.item(500), await store.item(400)];
    const head = await store.accept(media);
    const posted = [600, OMITTED.tooLargeToInline, 400];
    expect(await store.inlined(head)).toEqual(posted);
    store.it.store.adopt({ ...DEFAULT_MEDIA_LIMITS, inlineBytes: 0 });
    await store.it.reopen();
    expect(await store.messages.headOf(head.chat)).toEqual(head);
    expect(await store.inlined(head)).toEqual(posted);
    expect(await store.rows()).toEqual([
      [0, false, false],
      [1, true, false],
      [2, false, false],
    ]);
    await store.messages.delivered(head.seq, 200, "{}", []);
    expect(await store.rows()).toEqual([
      [0, false, true],
      [1, true, true],
      [2, false, true],
    ]);
  });

  it("go along with what comes after another limit is set by that", async (test) => {
    await using store = await opened(test);
    store.it.store.adopt({ ...DEFAULT_MEDIA_LIMITS, inlineBytes: 100 });
    expect(await store.inlined(await store.accept([await store.item(101)]))).toEqual([OMITTED.tooLargeToInline]);
  });

  it("keep a message out that counts on one that is gone, unless the message is known", async (test) => {
    await using store = await opened(test);
    const media = [await store.item(10)];
    await store.accept(media);
    rmSync(join(store.it.dir, "media", media[0]?.sha256 ?? ""));
    expect(await store.messages.accept(messageOf("m1", undefined, { media }))).toMatchObject({ duplicate: true });
    await expect(store.messages.accept(messageOf("m2", undefined, { media }))).rejects.toMatchObject({
      name: "FileMissingError",
    });
  });

  it("that were lost are said to be, from the first place to the last, with their neighbours unharmed", async (test) => {
    await using store = await opened(test);
    const text = "é 👩‍👩‍👧".repeat(20);
    const media = [await store.item(10, "é👜.jpg"), await store.item(20), await store.item(30), await store.item(0)];
    const head = await store.accept(media, text);
    const second = await store.messages.filesLost(head, head.inlined.slice(1, 2));
    expect(await store.inlined(second)).toEqual([10, OMITTED.lost, 30, 0]);
    expect(await store.messages.headOf(head.chat)).toEqual(second);
    const none = await store.messages.filesLost(
      second,
      [second.inlined[2], second.inlined[0]].flatMap((f) => f ?? []),
    );
    await store.it.reopen();
    expect(await store.messages.headOf(head.chat)).toEqual(none);
    expect(await store.inlined(none)).toEqual([OMITTED.lost, OMITTED.lost, 30, OMITTED.lost]);
    expect(JSON.parse(none.request)).toMatchObject({ message_id: "m1", text });
    expect(await store.rows()).toEqual([[2, false, false]]);
  });

  it("that Hot Bags does not take are left out, and kept", async (test) => {
    await using store = await opened(test);
    const head = await store.accept([await store.item(10), await store.item(20)]);
    const bare = await store.messages.leaveFilesOut(head);
    expect(bare).toMatchObject({ seq: head.seq, inlined: [] });
    expect(await store.messages.headOf(head.chat)).toEqual(bare);
    expect(await store.inlined(bare)).toEqual([OMITTED.tooLargeToInline, OMITTED.tooLargeToInline]);
    expect(await store.rows()).toEqual([
      [0, true, false],
      [1, true, false],
    ]);
  });

  it("are taken out once: who would do it again is told that the store contradicts that", async (test) => {
    await using store = await opened(test);
    const head = await store.accept([await store.item(10), await store.item(20)]);
    const [first] = head.inlined;
    const left = await store.messages.filesLost(head, first ? [first] : []);
    const again = Promise.resolve(store.messages.filesLost(head, head.inlined));
    expect(isDamage(await again.catch((error: unknown) => error))).toBe(true);
    await expect(again).rejects.toThrow(/contradicts/);
    expect(await store.messages.headOf(head.chat)).toEqual(left);
  });

  it("that two messages have in one turn are taken out of each", async (test) => {
    await using store = await opened(test);
    const media = [await store.item(10), await store.item(20)];
    const [one, two] = await Promise.all(
      ["A", "B"].map(async (id, n) => {
        const { chat } = await store.messages.accept(messageOf(id, `+1555000100${n}`, { media }));
        return (await store.messages.headOf(chat)) as PendingMessage;
      }),
    );
    if (!one || !two) return expect.unreachable();
    const ends = await Promise.all([
      store.messages.leaveFilesOut(one),
      store.messages.filesLost(two, two.inlined.slice(0, 1)),
    ]);
    expect(await Promise.all(ends.map((message) => store.inlined(message)))).toEqual([
      [OMITTED.tooLargeToInline, OMITTED.tooLargeToInline],
      [OMITTED.lost, 20],
    ]);
  });
});
