import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { damage } from "../../../../test/sidecar/damage.ts";
import { FileMissingError } from "../errors.ts";
import { DEFAULT_MEDIA_LIMITS, openStore, type Store } from "../index.ts";

const LIMIT_BYTES = 3_000;

let dir: string;
let store: Store;
let nowMs: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-room-"));
  nowMs = Date.parse("2026-03-01T12:00:00Z");
  open();
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

function open(storeBytes = LIMIT_BYTES) {
  store = openStore(
    dir,
    { now: () => nowMs, uptimeMs: () => 0, bootMs: () => 0 },
    { ...DEFAULT_MEDIA_LIMITS, storeBytes },
  );
}

interface File {
  sha256: string;
  bytes: Buffer;
}

function file(size = 1_000): File {
  const bytes = randomBytes(size);
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function put({ sha256, bytes }: File) {
  const body = (async function* () {
    yield bytes;
  })();
  return (await store.files.receive(sha256, { offset: 0, length: bytes.length, body })).kind;
}

const isHere = ({ sha256 }: File) => existsSync(join(dir, "media", sha256));

const message = (id: string, files: File[]) => ({
  ...{ account_id: "default", message_id: id, chat_id: "+15550001000", from: "+15550001000", text: "", raw: {} },
  timestamp: "2026-03-01T12:00:00.000Z",
  media: files.map(({ sha256, bytes }) => ({
    ...{ type: "image" as const, mime_type: null, file_name: null, size_bytes: bytes.length },
    sha256,
  })),
});

/** A message with these files, which are put into the store first; it waits for its delivery. */
async function accept(id: string, ...files: File[]): Promise<number> {
  for (const one of files) expect(await put(one)).toBe("whole");
  return (await store.messages.accept(message(id, files))).seq;
}

/** Each a little later than the one before. */
async function deliver(seq: number) {
  nowMs += 1_000;
  await store.messages.delivered(seq, 200, "{}", []);
}

it("is made by giving up files of delivered messages, the longest delivered first, and no more than it takes", async () => {
  const [a, b, c, next, large] = [file(), file(), file(), file(), file(1_800)];
  const seqs = [await accept("A", a), await accept("B", b), await accept("C", c)];
  for (const n of [1, 0, 2]) await deliver(seqs[n] ?? 0);
  expect(await put(next)).toBe("whole");
  expect([a, b, c].map(isHere)).toEqual([true, false, true]);
  expect(store.files.status).toEqual({ count: 3, bytes: 3_000, limitBytes: 3_000, givenUp: 1 });
  expect(await put(large)).toBe("whole");
  expect([a, b, c, next, large].map(isHere)).toEqual([false, false, false, true, true]);
  expect(store.files.status).toEqual({ count: 2, bytes: 2_800, limitBytes: 3_000, givenUp: 3 });
});

it("is never made with what waits, is dead, or has come for a message that is still to come", async () => {
  const [waits, dead, toCome] = [file(), file(), file()];
  await accept("A", waits);
  await store.messages.dead(await accept("B", dead), 400, "refused");
  await put(toCome);
  expect(await put(file(1))).toBe("no_room");
  expect([waits, dead, toCome].map(isHere)).toEqual([true, true, true]);
});

it("is not made with a file that another message still waits with", async () => {
  const [shared, alone] = [file(), file()];
  await deliver(await accept("A", shared));
  await deliver(await accept("B", alone));
  const waits = await accept("C", shared);
  expect(await put(file())).toBe("whole");
  expect(await put(file())).toBe("whole");
  expect([shared, alone].map(isHere)).toEqual([true, false]);
  expect(await put(file())).toBe("no_room");
  await deliver(waits);
  expect(await put(file())).toBe("whole");
  expect(isHere(shared)).toBe(false);
});

it("is made for many uploads at once", async () => {
  const old = [file(), file(), file()];
  for (const [n, one] of old.entries()) await deliver(await accept(`M${n}`, one));
  expect(await Promise.all([file(), file(), file()].map(put))).toEqual(["whole", "whole", "whole"]);
  expect(old.map(isHere)).toEqual([false, false, false]);
  expect(await put(file())).toBe("no_room");
});

it("is not made for what would never fit", async () => {
  const old = file();
  await deliver(await accept("A", old));
  expect(await put(file(3_001))).toBe("no_room");
  expect(isHere(old)).toBe(true);
});

it("never costs a message its file between its check and its commit", async () => {
  const shared = file();
  await deliver(await accept("A", shared));
  const again = message("B", [shared]);
  const both = [store.messages.accept(again), put(file(3_000))];
  expect(isHere(shared)).toBe(false);
  expect(await Promise.allSettled(both)).toEqual([
    { status: "rejected", reason: expect.any(FileMissingError) },
    { status: "fulfilled", value: "whole" },
  ]);
  expect((await store.counters()).accepted).toBe(1);
});

it("is made also while the database can't be written", async () => {
  const [a, b] = [file(1_500), file(1_500)];
  await deliver(await accept("A", a));
  await deliver(await accept("B", b));
  const other = new Database(join(dir, "bridge.sqlite"));
  other.exec("BEGIN IMMEDIATE");
  expect(await put(file(1_500))).toBe("whole");
  expect([a, b].map(isHere)).toEqual([false, true]);
  other.exec("ROLLBACK");
  other.close();
  store.close();
  open();
  expect(await put(file(1_500))).toBe("whole");
  expect([a, b].map(isHere)).toEqual([false, false]);
  expect(store.files.status).toMatchObject({ count: 2, bytes: 3_000 });
});

it("that can't be made, because a page of the database can't be read, is none", async () => {
  const old = file();
  await deliver(await accept("A", old));
  store.close();
  damage(join(dir, "bridge.sqlite"), "media_delivered");
  open();
  expect(await put(file(2_000))).toBe("whole");
  expect(await put(file(1_000))).toBe("no_room");
  expect(isHere(old)).toBe(true);
});

it("is made where the disk is full before the store is, so that the file can come again", async () => {
  const old = file();
  await deliver(await accept("A", old));
  const next = file();
  symlinkSync("/dev/full", join(dir, "media", `${next.sha256}.part`));
  await expect(put(next)).rejects.toThrow(/ENOSPC/);
  expect(isHere(old)).toBe(false);
  rmSync(join(dir, "media", `${next.sha256}.part`));
  expect(await put(next)).toBe("whole");
});
