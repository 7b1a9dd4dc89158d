import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type MediaItem, OMITTED } from "../../shared/src/index.ts";
import { storableJson } from "../../shared/src/storable.ts";
import { systemClock } from "../../sidecar/src/clock.ts";
import { Body } from "../../sidecar/src/relay/body.ts";
import { DEFAULT_MEDIA_LIMITS, openStore, type PendingMessage, type Store } from "../../sidecar/src/store/index.ts";

// Random uploads and random messages against the real store, on a real disk.

const LIMIT_BYTES = 1_000_000;

let dir: string;
let store: Store | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-model-media-"));
});
afterEach(() => {
  store?.close();
  store = undefined;
  rmSync(dir, { recursive: true });
});

/** The store as after a restart. */
function open(limits: Partial<typeof DEFAULT_MEDIA_LIMITS> = {}): Store {
  store?.close();
  store = openStore(dir, systemClock, { ...DEFAULT_MEDIA_LIMITS, storeBytes: LIMIT_BYTES, ...limits });
  return store;
}

const nameOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** A body that comes in these pieces, and then breaks if it is to. */
async function* bodyOf(pieces: Buffer[], breaks = false): AsyncGenerator<Buffer> {
  yield* pieces;
  if (breaks) throw new Error("the connection broke");
}

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(Buffer.from(piece));
  return Buffer.concat(all);
}

/** Puts a file of so many bytes into the store, and returns the item that names it. */
async function item({ files }: Store, size: number, changes: Partial<MediaItem>): Promise<MediaItem> {
  const bytes = randomBytes(size);
  const sha256 = nameOf(bytes);
  await files.receive(sha256, { offset: 0, length: size, body: bodyOf([bytes]) });
  return { type: "image", mime_type: "image/jpeg", file_name: null, size_bytes: size, sha256, ...changes };
}

it("cut anywhere, however often, and restarted, a file becomes what its name says or is not there, and the counts are those of the disk", async () => {
  const step = fc.record({
    pieces: fc.array(fc.nat(40), { maxLength: 4 }),
    breaks: fc.boolean(),
    /** How far off the offset is. */
    off: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -3, max: 3 }) }),
    wrong: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    restart: fc.boolean(),
  });
  const property = fc.asyncProperty(fc.nat(120), fc.array(step, { maxLength: 12 }), async (size, steps) => {
    rmSync(join(dir, "media"), { recursive: true, force: true });
    let { files } = open();
    const bytes = randomBytes(size);
    /** What ought to be here of it; whole when it is all of it and right. */
    let here = Buffer.alloc(0);
    let whole = false;
    for (const { pieces, breaks, off, wrong, restart } of steps) {
      let from = here.length;
      const offset = Math.max(0, from + off);
      const body: Buffer[] = [];
      for (const length of pieces) {
        const piece = Buffer.from(bytes.subarray(from, from + length));
        if (wrong && piece.length > 0) piece[0] = (piece[0] ?? 0) ^ 1;
        body.push(piece);
        from += piece.length;
      }
      const upload = { offset, length: size, body: bodyOf(body, breaks) };
      const received = await files.receive(nameOf(bytes), upload).catch(() => "broken" as const);
      if (whole) expect(received).toEqual({ kind: "whole", bytes: size });
      else if (offset !== here.length) expect(received).toEqual({ kind: "wrong_offset", bytes: here.length });
      else {
        here = Buffer.concat([here, ...body]);
        const right = here.equals(bytes);
        if (breaks) expect(received).toBe("broken");
        else if (here.length < size) expect(received).toEqual({ kind: "part", bytes: here.length });
        else if (right) expect(received).toEqual({ kind: "whole", bytes: size });
        else expect(received).toEqual({ kind: "wrong_hash" });
        if (!breaks && here.length === size) {
          whole = right;
          if (!right) here = Buffer.alloc(0);
        }
      }
      if (restart) files = open().files;
      expect(files.sizeOf(nameOf(bytes))).toBe(whole ? size : undefined);
      if (!whole) expect(files.partSizeOf(nameOf(bytes))).toBe(here.length);
      expect(files.status).toEqual({ count: whole ? 1 : 0, bytes: here.length, limitBytes: LIMIT_BYTES, givenUp: 0 });
    }
    if (whole) expect((await collect(files.read(nameOf(bytes), size))).equals(bytes)).toBe(true);
  });
  await fc.assert(property, { numRuns: 60 });
}, 60_000);

const storable = <T>(value: T) => JSON.parse(storableJson(JSON.stringify(value))) as T;

it("over random messages: the body says of each file what is so, keeps the limits, and loses what is lost and nothing else", async () => {
  const text = fc.string({ unit: "binary", maxLength: 40 });
  const attachment = fc.record({
    size: fc.nat(400),
    file_name: fc.option(text, { nil: null }),
    omitted: fc.boolean(),
    lost: fc.boolean(),
  });
  let id = 0;
  const property = fc.asyncProperty(
    fc.array(attachment, { maxLength: 8 }),
    fc.nat(1_000),
    text,
    fc.dictionary(text, fc.jsonValue(), { noNullPrototype: true }),
    async (attachments, inlineBytes, words, raw) => {
      const opened = open({ inlineBytes });
      const media: MediaItem[] = [];
      for (const { size, file_name, omitted } of attachments)
        media.push(await item(opened, size, { file_name, ...(omitted ? { omitted: OMITTED.tooLarge } : {}) }));
      id += 1;
      const { chat } = await opened.messages.accept({
        account_id: "default",
        message_id: `M${id}`,
        chat_id: `+1555${String(id).padStart(7, "0")}`,
        from: "+15550001000",
        text: words,
        media,
        timestamp: "2026-03-01T12:00:00.000Z",
        raw: raw as Record<string, never>,
      });
      const posted = (message: PendingMessage) => collect(new Body(message, opened.files).pieces());
      const head = (await opened.messages.headOf(chat)) as PendingMessage;
      const before = await posted(head);
      expect(before.length).toBe(new Body(head, opened.files).byteLength);
      const sent = JSON.parse(before.toString());
      expect(JSON.stringify(sent)).toBe(before.toString());
      expect(sent.text).toBe(storable(words));
      expect(sent.raw).toEqual(storable(raw));

      let total = 0;
      for (const [n, { size, omitted }] of attachments.entries()) {
        const { data_base64, ...described } = sent.media[n];
        const fits = inlineBytes > 0 && total + size <= inlineBytes;
        if (!omitted && fits) total += size;
        const why = omitted ? { omitted: OMITTED.tooLarge } : fits ? {} : { omitted: OMITTED.tooLargeToInline };
        expect(described).toEqual({ ...storable(media[n]), ...why });
        expect(data_base64 === undefined).toBe(omitted || !fits);
        if (data_base64 !== undefined)
          expect(createHash("sha256").update(Buffer.from(data_base64, "base64")).digest("hex")).toBe(media[n]?.sha256);
      }

      const lost = head.inlined.filter(({ position }) => attachments[position]?.lost);
      const without = await opened.messages.filesLost(head, lost);
      expect(await opened.messages.headOf(chat)).toEqual(without);
      const after = await posted(without);
      for (const { position } of lost) {
        const { data_base64: _, ...described } = sent.media[position];
        sent.media[position] = { ...described, omitted: OMITTED.lost };
      }
      expect(JSON.parse(after.toString())).toEqual(sent);

      // What is left is too large for Hot Bags: it goes without, and the files are kept.
      const bare = await opened.messages.leaveFilesOut(without);
      expect([bare.inlined, await opened.messages.headOf(chat)]).toEqual([[], bare]);
      for (const { position } of without.inlined) {
        const { data_base64: _, ...described } = sent.media[position];
        sent.media[position] = { ...described, omitted: OMITTED.tooLargeToInline };
      }
      expect(JSON.parse(bare.request)).toEqual(sent);
      for (const { sha256 } of without.inlined) expect(opened.files.sizeOf(sha256)).toBeDefined();
    },
  );
  await fc.assert(property, { numRuns: 60 });
}, 60_000);
