import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type InboundMessage,
  MAX_BODY_BYTES,
  MAX_FRAME_BYTES,
  MAX_RAW_BYTES,
  type MediaItem,
  OMITTED,
} from "@hotbags/shared";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../clock.ts";
import { Body } from "../../relay/body.ts";
import { DEFAULT_MEDIA_LIMITS, FileMissingError, openStore, type PendingMessage, type Store } from "../index.ts";

let dir: string;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-inline-"));
  open();
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

function open(inlineBytes = DEFAULT_MEDIA_LIMITS.inlineBytes) {
  store?.close();
  store = openStore(dir, systemClock, { ...DEFAULT_MEDIA_LIMITS, inlineBytes });
}

/** Puts a file of so many bytes into the store, and returns the item that names it. */
async function item(size: number, changes: Partial<MediaItem> = {}): Promise<MediaItem> {
  const bytes = randomBytes(size);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const body = (async function* () {
    yield bytes;
  })();
  await store.files.receive(sha256, { offset: 0, length: size, body });
  return { type: "image", mime_type: "image/jpeg", file_name: null, size_bytes: size, sha256, ...changes };
}

const message = (media: MediaItem[], changes: Partial<InboundMessage> = {}): InboundMessage => ({
  account_id: "default",
  message_id: "A",
  chat_id: "+15550001000",
  from: "+15550001000",
  text: "look",
  media,
  timestamp: "2026-03-01T12:00:00.000Z",
  raw: { one: 1 },
  ...changes,
});

async function accept(media: MediaItem[], changes: Partial<InboundMessage> = {}): Promise<PendingMessage> {
  const { chat } = await store.messages.accept(message(media, changes));
  const head = await store.messages.headOf(chat);
  if (!head) throw new Error("it was not accepted");
  return head;
}

/** The body as it would be POSTed. */
async function bodyOf(message: PendingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of new Body(message, store.files).pieces()) pieces.push(piece);
  return Buffer.concat(pieces);
}

const inlinedOf = (body: Buffer) =>
  (JSON.parse(body.toString()).media as { data_base64?: string; omitted?: string }[]).map(
    ({ data_base64, omitted }) => omitted ?? Buffer.from(data_base64 ?? "", "base64").length,
  );

describe("what goes along", () => {
  it("is what fits, in the order of the items, and the rest says why it does not", async () => {
    open(1_000);
    const media = [await item(600), await item(500), await item(400), await item(1)];
    expect(inlinedOf(await bodyOf(await accept(media)))).toEqual([
      600,
      OMITTED.tooLargeToInline,
      400,
      OMITTED.tooLargeToInline,
    ]);
  });

  it("is nothing when it is switched off, not even an empty file", async () => {
    open(0);
    expect(inlinedOf(await bodyOf(await accept([await item(0), await item(1)])))).toEqual([
      OMITTED.tooLargeToInline,
      OMITTED.tooLargeToInline,
    ]);
  });

  it("is an empty file too", async () => {
    expect(inlinedOf(await bodyOf(await accept([await item(0), await item(5)])))).toEqual([0, 5]);
  });

  it("leaves alone what the plugin has omitted, and keeps no file for it", async () => {
    const omitted = await item(5, { omitted: OMITTED.noRoom });
    const { request, inlined } = await accept([omitted]);
    expect([JSON.parse(request).media, inlined]).toEqual([[omitted], []]);
  });

  it("is all of the default's three megabytes, with a text and a raw of the largest size", async () => {
    const raw = { x: "x".repeat(MAX_RAW_BYTES - 8) };
    const text = "\u0001".repeat(65_536);
    const body = await bodyOf(await accept([await item(3_000_000)], { text, raw }));
    expect(inlinedOf(body)).toEqual([3_000_000]);
    expect(body.length).toBeLessThanOrEqual(MAX_BODY_BYTES);
  });

  it("is left out where the whole body would not go, whatever is set", async () => {
    open((MAX_BODY_BYTES / 4) * 3);
    const raw = { x: "x".repeat(MAX_FRAME_BYTES - 200_000) };
    const body = await bodyOf(await accept([await item(2_900_000), await item(100_000)], { raw }));
    expect(inlinedOf(body)).toEqual([OMITTED.tooLargeToInline, 100_000]);
    expect(body.length).toBeLessThanOrEqual(MAX_BODY_BYTES);
  });

  it("is decided once: another setting later changes no byte", async () => {
    const media = [await item(600), await item(500)];
    const before = await bodyOf(await accept(media));
    for (const inlineBytes of [0, 1_000, 700]) {
      open(inlineBytes);
      const head = (await store.messages.headOf(1)) as PendingMessage;
      expect((await bodyOf(head)).equals(before)).toBe(true);
    }
  });

  it("is the file's own size, whatever the message said of it", async () => {
    const body = await bodyOf(await accept([await item(600, { size_bytes: 7 })]));
    expect(JSON.parse(body.toString()).media[0].size_bytes).toBe(600);
  });
});

describe("a file that is not here", () => {
  const missing: MediaItem = {
    ...{ type: "audio", mime_type: null, file_name: null, size_bytes: 3 },
    sha256: "a".repeat(64),
  };

  it("keeps its message out, and counts nothing", async () => {
    for (const media of [[missing], [await item(1), missing]])
      await expect(store.messages.accept(message(media))).rejects.toThrow(FileMissingError);
    expect((await store.counters()).accepted).toBe(0);
    await store.messages.accept(message([{ ...missing, omitted: OMITTED.tooLarge }]));
    expect((await store.counters()).accepted).toBe(1);
  });

  it("keeps out what its chat has handed in behind it, and nothing else", async () => {
    const ends = await Promise.allSettled([
      store.messages.accept(message([missing])),
      store.messages.accept(message([], { message_id: "B" })),
      store.messages.accept(message([], { message_id: "C", chat_id: "+15550002000" })),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
    expect((await store.counters()).accepted).toBe(1);
  });

  it("does not matter to a message that is known", async () => {
    const media = [await item(10)];
    await accept(media);
    rmSync(join(dir, "media", media[0]?.sha256 ?? ""));
    expect(await store.messages.accept(message(media))).toMatchObject({ duplicate: true });
    for (const other of [{ message_id: "B" }, { chat_id: "+15550002000" }])
      await expect(store.messages.accept(message(media, other))).rejects.toThrow(FileMissingError);
  });
});

it("describes a file that was lost from the last place of many bytes on, with its neighbours unharmed", async () => {
  const media = [await item(10, { file_name: "é👜.jpg" }), await item(20), await item(30)];
  const head = await accept(media, { text: "é".repeat(100) });
  writeFileSync(join(dir, "media", media[1]?.sha256 ?? ""), "");
  const [, second] = head.inlined;
  const after = await store.messages.filesLost(head, second ? [second] : []);
  expect(inlinedOf(await bodyOf(after))).toEqual([10, OMITTED.lost, 30]);
  expect(await store.messages.headOf(1)).toEqual(after);
});
