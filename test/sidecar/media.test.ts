import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type MediaItem, OMITTED } from "../../shared/src/index.ts";
import { Failpoint } from "../crash/failpoint.ts";
import { type Attempt, type HotBags, startHotBags } from "../hotbags/index.ts";
import type { SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, messageOf } from "./message.ts";

// The real sidecar as a process, a plugin's side of the wire by hand, and the Hot Bags double, which checks that data_base64 is
// what sha256 and size_bytes say, that a key always comes with the same bytes, and that a body is one that Vercel takes.

const HMAC_SECRET = "hmac-secret-of-the-media-test";
const AUTHORIZED = { authorization: `Bearer ${BRIDGE_TOKEN}` };
const EAGER = new URL("./eager.mjs", import.meta.url);

let hotbags: HotBags;
let built: BuiltSidecar;
let sidecar: SidecarProcess;
let failpoint: Failpoint;

beforeEach(async () => {
  failpoint = new Failpoint();
  hotbags = await startHotBags({ token: BEARER_TOKEN, hmacSecret: HMAC_SECRET });
  const preloaded = [EAGER, failpoint.module].map((module) => `--import=${module}`).join(" ");
  built = await BuiltSidecar.start({
    hotbags,
    env: {
      HOTBAGS_HMAC_DISABLED: "false",
      HOTBAGS_HMAC_SECRET: HMAC_SECRET,
      NODE_OPTIONS: preloaded,
      ...failpoint.env,
    },
  });
  sidecar = built.process;
});
afterEach(async () => {
  await sidecar.kill();
  await built.close();
  await hotbags.close();
  failpoint.remove();
});

const nameOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const pathOf = (bytes: Buffer) => join(built.dir, "media", nameOf(bytes));

/** Sends the bytes of a file from one offset to another. */
async function upload(bytes: Buffer, from = 0, to = bytes.length) {
  const response = await fetch(`http://127.0.0.1:${built.port}/media/${nameOf(bytes)}`, {
    method: "PATCH",
    headers: { ...AUTHORIZED, "upload-offset": String(from), "upload-length": String(bytes.length) },
    body: new Uint8Array(bytes.subarray(from, to)),
  });
  return [response.status, response.headers.get("upload-complete"), Number(response.headers.get("upload-offset"))];
}

/** Uploads what is not here of a file, as the plugin does, and returns the item that names it. */
async function put(bytes: Buffer) {
  const head = await fetch(`http://127.0.0.1:${built.port}/media/${nameOf(bytes)}`, {
    method: "HEAD",
    headers: AUTHORIZED,
  });
  const here = Number(head.headers.get("upload-offset") ?? 0);
  expect(await upload(bytes, here)).toEqual([204, "?1", bytes.length]);
  return describeFile(bytes);
}

const describeFile = (bytes: Buffer): MediaItem => ({
  ...{ type: "image" as const, mime_type: "image/jpeg", file_name: "bag.jpg" },
  ...{ size_bytes: bytes.length, sha256: nameOf(bytes) },
});

const message = (id: string, media: MediaItem[], chat = ANNA) => messageOf(id, chat, { media });

/** Hands messages in, and resolves when all are acked. */
async function handIn(...messages: object[]) {
  const plugin = new WebSocket(`ws://127.0.0.1:${built.port}`, { headers: AUTHORIZED });
  await once(plugin, "open");
  const answers: { type: string }[] = [];
  plugin.on("message", (data) => void answers.push(JSON.parse(String(data))));
  plugin.send(JSON.stringify({ v: 1, type: "hello", plugin_version: "0.1.0", openclaw_version: "2026.9.6" }));
  for (const [ref, one] of messages.entries())
    plugin.send(JSON.stringify({ v: 1, type: "message", ref, message: one }));
  await until("all are answered", () => {
    if (plugin.readyState === WebSocket.CLOSED) throw new Error("the link broke");
    return answers.length === messages.length + 1;
  });
  plugin.terminate();
  expect(answers.slice(1).map(({ type }) => type)).toEqual(messages.map(() => "ack"));
}

const attemptsFor = (id: string) => hotbags.requests.filter(({ key }) => key === id);
const sameBytes = (attempts: Attempt[]) =>
  attempts.every(({ rawBody }) => rawBody.equals(attempts[0]?.rawBody as Buffer));
const alarms = () => sidecar.lines.filter(({ alarm }) => alarm === true);

/** What came of the attachments of a message: how many bytes, or why none. */
const mediaOf = (id: string) =>
  hotbags.accepted
    .find(({ message_id }) => message_id === id)
    ?.media.map(({ data_base64, omitted }) => omitted ?? Buffer.from(data_base64 ?? "", "base64").length);

const health = async () =>
  (await built.health<{ files: { stored: number; bytes: number }; messages: { pending: number } }>()).body;

describe("bytes", () => {
  it("reach Hot Bags up to the limit, and what does not fit is described", async () => {
    const [photo, voice, film] = [randomBytes(1_000_001), randomBytes(20), randomBytes(3_000_000)];
    const media = [await put(photo), await put(film), await put(voice)];
    await handIn(message("A", media), message("B", [media[1] as MediaItem]));
    await hotbags.receives("B");
    expect(mediaOf("A")).toEqual([1_000_001, OMITTED.tooLargeToInline, 20]);
    expect(mediaOf("B")).toEqual([3_000_000]);
    expect(hotbags.violations).toEqual([]);
  });

  it("are stored once however often they come, and not in the database", async () => {
    const photo = randomBytes(900_000);
    await Promise.all([put(photo), put(randomBytes(100))]);
    const item = await put(photo);
    const messages = Array.from({ length: 10 }, (_, n) => message(`M${n}`, [item, item, item]));
    await handIn(...messages);
    await hotbags.receives("M9");
    expect(mediaOf("M9")).toEqual([900_000, 900_000, 900_000]);
    expect(hotbags.violations).toEqual([]);
    expect(readdirSync(join(built.dir, "media"))).toHaveLength(2);
    expect((await health()).files).toEqual({ stored: 2, bytes: 900_100, limit_bytes: 4 * 1024 ** 3 });
    await sidecar.stop();
    expect(statSync(join(built.dir, "bridge.sqlite")).size).toBeLessThan(500_000);
  });

  it("are the same in every attempt: over faults, a SIGKILL, a restart and another setting", async () => {
    const media = [
      await put(randomBytes(1_500_000)),
      await put(randomBytes(1_400_000)),
      await put(randomBytes(300_000)),
    ];
    hotbags.next("drop-after-processing", { status: 503 }, "hang");
    await handIn(message("A", media));
    await until("the third attempt hangs", () => attemptsFor("A").length === 3);
    await sidecar.kill();
    sidecar.configure({ BRIDGE_INLINE_MEDIA_BYTES: "0" });
    hotbags.next("truncate");
    await sidecar.start();
    await until("it is delivered", async () => (await health()).messages.pending === 0, 20_000);
    expect(attemptsFor("A")).toHaveLength(5);
    expect(sameBytes(attemptsFor("A"))).toBe(true);
    expect(mediaOf("A")).toEqual([1_500_000, 1_400_000, OMITTED.tooLargeToInline]);
    expect(hotbags.accepted).toHaveLength(1);
    expect(hotbags.violations).toEqual([]);
  });

  it("that were uploaded in part go on after a SIGKILL, and the message is accepted then", async () => {
    const bytes = randomBytes(200_000);
    expect(await upload(bytes, 0, 100_000)).toEqual([204, "?0", 100_000]);
    await sidecar.kill();
    await sidecar.start();
    expect(await upload(bytes, 100_000)).toEqual([204, "?1", 200_000]);
    await handIn(message("A", [describeFile(bytes)]));
    await hotbags.receives("A");
    expect(mediaOf("A")).toEqual([200_000]);
  });
});

describe("a body that is too large for Hot Bags", () => {
  const hasBytes = ({ media }: { media: { data_base64?: string | undefined }[] }) =>
    media.some(({ data_base64 }) => data_base64 !== undefined);

  it("goes once more without its files, at once, in its place, and so for good; the files are kept", async () => {
    const photo = randomBytes(1_200_000);
    hotbags.faultFor(hasBytes, { status: 413 }, Number.POSITIVE_INFINITY);
    hotbags.faultFor((one) => !hasBytes(one) && one.message_id === "A", { status: 500 }, 2);
    await handIn(message("A", [await put(photo), await put(randomBytes(10))]), message("B", []));
    await hotbags.receives("B", { timeoutMs: 20_000 });
    expect(mediaOf("A")).toEqual([OMITTED.tooLargeToInline, OMITTED.tooLargeToInline]);
    expect(hotbags.accepted.map(({ message_id }) => message_id)).toEqual(["A", "B"]);
    const [first, ...others] = attemptsFor("A");
    expect([first?.body?.media.length, others.length, sameBytes(others)]).toEqual([2, 3, true]);
    expect(hotbags.violations).toEqual([]);
    expect(alarms()).toEqual([]);
    expect(readdirSync(join(built.dir, "media"))).toContain(nameOf(photo));
  });

  it("is told about where it has no files", async () => {
    hotbags.faultFor(() => true, { status: 413 }, 4);
    await handIn(message("A", [await put(randomBytes(1_000))]));
    await hotbags.receives("A", { timeoutMs: 20_000 });
    expect(attemptsFor("A")).toHaveLength(5);
    await until("it is said", () => alarms().length > 0);
    expect(alarms()).toEqual([expect.objectContaining({ message_id: "A", rule: "too-large" })]);
  });
});

const replaceBy = (make: (path: string) => void) => (path: string) => {
  rmSync(path);
  make(path);
};

describe("a file that was lost after its message was accepted", () => {
  it.each([
    ["gone", (path: string) => rmSync(path)],
    ["changed", (path: string) => writeFileSync(path, randomBytes(1_000))],
    // A link to itself, which not even root can open; and a folder, which can't be thrown away like a file.
    ["not to be opened", replaceBy((path) => symlinkSync(path, path))],
    ["a folder", replaceBy((path) => mkdirSync(path))],
  ])("(%s) is described as lost, for good, and delays nothing", async (_how, spoil) => {
    const [kept, spoiled] = [randomBytes(2_000), randomBytes(1_000)];
    const media = [await put(kept), await put(spoiled), await put(randomBytes(10))];
    await hotbags.stop();
    await handIn(message("A", media), message("B", []));
    spoil(pathOf(spoiled));
    await hotbags.start();
    hotbags.next("drop", { status: 500 });
    await hotbags.receives("B", { timeoutMs: 20_000 });
    expect(mediaOf("A")).toEqual([2_000, OMITTED.lost, 10]);
    expect(sameBytes(attemptsFor("A"))).toBe(true);
    await until("it is said", () => alarms().length > 0);
    expect(alarms()).toEqual([expect.objectContaining({ message_id: "A", media: [1] })]);
    expect(hotbags.violations).toEqual([]);
  });
});

describe("killed with SIGKILL and started again", () => {
  it.each(["file:before-commit", "file:after-commit", "accept:before-commit", "accept:after-commit"])(
    "at %s, it has the file and the message once",
    async (point) => {
      const bytes = randomBytes(100_000);
      const plugin = async () => handIn(message("A", [await put(bytes)]));
      failpoint.arm(point);
      const died = sidecar.ended();
      await expect(plugin()).rejects.toThrow();
      expect(await died).toBe("SIGKILL");
      await sidecar.start();
      await plugin();
      await hotbags.receives("A");
      expect(mediaOf("A")).toEqual([100_000]);
      expect(hotbags.accepted).toHaveLength(1);
      expect(hotbags.violations).toEqual([]);
      expect(readdirSync(join(built.dir, "media"))).toEqual([nameOf(bytes)]);
    },
  );

  it.each(["file-lost:before-commit", "file-lost:after-commit"])("at %s, it says so once", async (point) => {
    const bytes = randomBytes(1_000);
    await hotbags.stop();
    await handIn(message("A", [await put(bytes)]));
    failpoint.arm(point);
    const died = sidecar.ended();
    rmSync(pathOf(bytes));
    await hotbags.start();
    expect(await died).toBe("SIGKILL");
    await sidecar.start();
    await hotbags.receives("A");
    expect(mediaOf("A")).toEqual([OMITTED.lost]);
    expect(attemptsFor("A")).toHaveLength(1);
    expect(hotbags.violations).toEqual([]);
  });

  it.each(["delete-file:before", "delete-file:after"])("at %s, it throws away what nobody needs", async (point) => {
    const [nobodys, kept] = [randomBytes(1_000), randomBytes(1_000)];
    await put(nobodys);
    await handIn(message("A", [await put(kept)]));
    await hotbags.receives("A");
    const old = new Date(Date.now() - 2 * 24 * 3_600_000);
    for (const bytes of [nobodys, kept]) utimesSync(pathOf(bytes), old, old);
    await sidecar.stop();
    failpoint.arm(point);
    // It sweeps as soon as it has started, and may be dead before it could say so.
    await sidecar.start().catch(() => {});
    await until("it came there", () => !failpoint.isArmed);
    await sidecar.kill();
    await sidecar.start();
    await until("it is gone, and counted out", async () => (await health()).files.stored === 1);
    expect((await health()).files.bytes).toBe(1_000);
    expect(readdirSync(join(built.dir, "media"))).toEqual([nameOf(kept)]);
    expect(readFileSync(pathOf(kept)).equals(kept)).toBe(true);
  });
});

it("as many large bodies as go at once need no memory of their own, and delay no small message", async () => {
  const large = await put(randomBytes(3_000_000));
  const memory = () => {
    const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${sidecar.pid}/status`, "utf8")) ?? [];
    return Number(kib) * 1024;
  };
  const chats = Array.from({ length: 30 }, (_, n) => `+155500020${String(n).padStart(2, "0")}`);
  // So that what the first message of all needs is not counted.
  await handIn(message("first", [large]));
  await hotbags.receives("first");
  const before = memory();
  hotbags.faultFor(({ media }) => media.length > 0, "hang", Number.POSITIVE_INFINITY);
  await handIn(...chats.map((chat) => message(`large-${chat}`, [large], chat)));
  await until("all are under way", () => hotbags.requests.length === 1 + chats.length, 20_000);
  const after = memory();
  await handIn(message("small", []));
  await hotbags.receives("small");
  expect(mediaOf("small")).toEqual([]);
  console.log(`${Math.round((after - before) / 1024 / 1024)} MiB more with ${chats.length} bodies of 4 MB under way`);
  // All in memory at once they would be 120 MB as bytes, and as much again as text.
  expect(after - before).toBeLessThan(64 * 1024 * 1024);
});
