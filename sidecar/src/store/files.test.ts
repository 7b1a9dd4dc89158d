import { createHash, randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoreUnusableError } from "./errors.ts";
import { Files } from "./files.ts";
import { FileLostError } from "./read-file.ts";

const HOUR_MS = 3_600_000;
const LIMIT_BYTES = 1_000_000;

let dir: string;
let nowMs: number;
let files: Files;

const open = () => new Files(dir, LIMIT_BYTES, { now: () => nowMs });
const nameOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const pathOf = (bytes: Buffer) => join(dir, "media", nameOf(bytes));
const names = () => readdirSync(join(dir, "media")).sort();

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-files-"));
  nowMs = Date.parse("2026-03-01T12:00:00Z");
  files = open();
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A body that comes in these pieces, and then breaks if it is to. */
async function* bodyOf(pieces: Buffer[], breaks = false): AsyncGenerator<Buffer> {
  yield* pieces;
  if (breaks) throw new Error("the connection broke");
}

const put = (bytes: Buffer) => files.receive(nameOf(bytes), { offset: 0, length: bytes.length, body: bodyOf([bytes]) });

async function putPart(bytes: Buffer, length: number) {
  const body = bodyOf([bytes.subarray(0, length)], true);
  await expect(files.receive(nameOf(bytes), { offset: 0, length: bytes.length, body })).rejects.toThrow(/broke/);
}

async function readAll(bytes: Buffer) {
  const pieces: Buffer[] = [];
  for await (const piece of files.read(nameOf(bytes), bytes.length)) pieces.push(Buffer.from(piece));
  return pieces;
}

it("is read in pieces that make its base64 when each is encoded for itself", async () => {
  for (const size of [0, 1, 49_152, 49_153, 300_000]) {
    const bytes = randomBytes(size);
    await put(bytes);
    const base64 = (await readAll(bytes)).map((piece) => piece.toString("base64")).join("");
    expect(base64 === bytes.toString("base64")).toBe(true);
  }
});

describe("a file that was changed on disk", () => {
  it.each([
    ["gone", (path: string) => rmSync(path)],
    ["shorter", (path: string) => truncateSync(path, 10)],
    ["longer", (path: string) => writeFileSync(path, randomBytes(200_001))],
    ["other bytes", (path: string) => writeFileSync(path, randomBytes(200_000))],
  ])("is lost when it is %s, and can be sent again", async (_how, spoil) => {
    const bytes = randomBytes(200_000);
    await put(bytes);
    await files.verify(nameOf(bytes), bytes.length);
    spoil(pathOf(bytes));
    await expect(files.verify(nameOf(bytes), bytes.length)).rejects.toThrow(FileLostError);
    expect(files.sizeOf(nameOf(bytes))).toBeUndefined();
    expect(await put(bytes)).toEqual({ kind: "whole", bytes: 200_000 });
    await files.verify(nameOf(bytes), bytes.length);
    files = open();
    expect(files.status).toMatchObject({ count: 1, bytes: 200_000 });
  });
});

describe("a sweep", () => {
  it("throws away what nobody has asked for within a day and no message has, whole or not", async () => {
    const [needed, unneeded, part] = [randomBytes(100), randomBytes(100), randomBytes(100)];
    await put(needed);
    await put(unneeded);
    await putPart(part, 50);
    const isNeeded = (sha256: string) => sha256 === nameOf(needed);
    nowMs += 23 * HOUR_MS;
    expect(await files.sweep(isNeeded)).toBe(0);
    nowMs += 2 * HOUR_MS;
    expect(await files.sweep(isNeeded)).toBe(2);
    expect(names()).toEqual([nameOf(needed)]);
    expect(files.status).toMatchObject({ count: 1, bytes: 100 });
    expect(await files.sweep(() => false)).toBe(1);
    expect(files.status).toMatchObject({ count: 0, bytes: 0 });
  });

  it("leaves alone for another day what was asked for, also over a restart", async () => {
    const bytes = randomBytes(100);
    await put(bytes);
    nowMs += 20 * HOUR_MS;
    expect(files.sizeOf(nameOf(bytes))).toBe(100);
    files = open();
    nowMs += 20 * HOUR_MS;
    expect(await files.sweep(() => false)).toBe(0);
    nowMs += 20 * HOUR_MS;
    expect(await files.sweep(() => false)).toBe(1);
  });

  it("goes on where a file can't be thrown away, and says so at the end", async () => {
    const stuck = join(dir, "media", "0".repeat(64));
    mkdirSync(join(stuck, "not a file"), { recursive: true });
    utimesSync(stuck, 0, 0);
    const bytes = randomBytes(100);
    await put(bytes);
    nowMs += 100 * HOUR_MS;
    await expect(files.sweep(() => false)).rejects.toThrow(stuck);
    expect(names()).toEqual(["0".repeat(64)]);
  });

  it("leaves alone what is coming in, and what is not its own", async () => {
    const bytes = randomBytes(100);
    await putPart(bytes, 50);
    writeFileSync(join(dir, "media", "somebody's notes"), "");
    nowMs += 100 * HOUR_MS;
    const { promise: arrives, resolve: arrive } = Promise.withResolvers<void>();
    async function* slowly() {
      await arrives;
      yield bytes.subarray(50);
    }
    const coming = files.receive(nameOf(bytes), { offset: 50, length: 100, body: slowly() });
    expect(await files.sweep(() => false)).toBe(0);
    arrive();
    expect(await coming).toEqual({ kind: "whole", bytes: 100 });
    expect(names()).toEqual([nameOf(bytes), "somebody's notes"].sort());
  });
});

it("can be asked for what is whole only", async () => {
  const bytes = randomBytes(1_000);
  await putPart(bytes, 999);
  await expect(readAll(bytes)).rejects.toThrow(FileLostError);
  expect(readFileSync(`${pathOf(bytes)}.part`)).toHaveLength(999);
});

it("a part with a time that is still to come goes after a day all the same", async () => {
  const bytes = randomBytes(100);
  const body = (async function* () {
    yield bytes.subarray(0, 50);
  })();
  await files.receive(nameOf(bytes), { offset: 0, length: bytes.length, body });
  const in2036 = new Date("2036-01-01");
  utimesSync(`${pathOf(bytes)}.part`, in2036, in2036);
  files = open();
  nowMs += 23 * HOUR_MS;
  expect(await files.sweep(() => false)).toBe(0);
  nowMs += 2 * HOUR_MS;
  expect(await files.sweep(() => false)).toBe(1);
});

it("where the folder can't be made, says so", () => {
  rmSync(join(dir, "media"), { recursive: true });
  writeFileSync(join(dir, "media"), "");
  expect(open).toThrow(StoreUnusableError);
});
