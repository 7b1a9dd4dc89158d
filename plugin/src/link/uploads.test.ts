import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OMITTED, WIRE_VERSION } from "@hotbags/shared";
import { expect, onTestFinished, test, vi } from "vitest";
import { Outbox } from "../outbox/outbox.ts";
import { fillOutbox, putWithFiles } from "../testing/backlog.ts";
import { sha256Of } from "../testing/files.ts";
import { temporaryFolder } from "../testing/folder.ts";
import { memoryLog } from "../testing/log.ts";
import type { MediaRequest } from "../testing/media.ts";
import { ScratchSidecar, TOKEN } from "../testing/sidecar.ts";
import { until } from "../testing/until.ts";
import { Link } from "./link.ts";
import { Observations } from "./observations.ts";
import { LINK_TIMING, type LinkTiming } from "./timing.ts";

const FAST: LinkTiming = { ...LINK_TIMING, reconnectBaseMs: 1, reconnectMaxMs: 5, retryMs: 1 };
const LARGE_BYTES = 3_000_000;
/** Where `capture` puts A1, A2, ... */
const CHAT_A = "+155500065";

async function setUp(options: { timing?: Partial<LinkTiming>; isUnix?: boolean } = {}) {
  const folder = temporaryFolder();
  const outbox = new Outbox(join(folder, "outbox.sqlite"));
  const sidecar = await ScratchSidecar.start(options.isUnix ? join(folder, "bridge.sock") : undefined);
  const log = memoryLog();
  const link = new Link({
    config: { url: sidecar.url, token: TOKEN },
    ...{ openclawVersion: "2026.9.6", outbox: () => outbox, observations: new Observations(), log },
    timing: { ...FAST, ...options.timing },
  });
  onTestFinished(async () => {
    await link.stop();
    outbox.close();
  });
  /** A captured message with these files, copied and ready, as the intake leaves it. `A1` and `A2` are of one chat. */
  const capture = (id: string, ...files: Buffer[]) => captureIn(`+1555000${id.charCodeAt(0)}`, id, ...files);
  const captureIn = (chat: string, id: string, ...files: Buffer[]) => {
    const seq = putWithFiles(outbox, { id, chat }, files);
    link.offer(seq);
    return seq;
  };
  const drained = (timeoutMs?: number) => until("drained", () => outbox.totals().waiting === 0, timeoutMs);
  const fill = (texts: Parameters<typeof fillOutbox>[1]) => fillOutbox(join(folder, "outbox.sqlite"), texts);
  /** How the sidecar got this message's attachments, at its last sending. */
  const omitted = (id: string) =>
    sidecar.messages.findLast(({ message_id }) => message_id === id)?.media.map((item) => item.omitted);
  const media = outbox.media.path;
  return { outbox, sidecar, log, link, capture, captureIn, fill, drained, omitted, media };
}

const ack = (ref: number) => ({ v: WIRE_VERSION, type: "ack", ref, duplicate: false });
const noFile = (ref: number) => ({
  ...{ v: WIRE_VERSION, type: "refused", ref, code: "no_file", reason: "a file is not here", retry: true },
});

/** A gate that keeps PATCHes waiting until it is opened. */
function gate(blocks: (request: MediaRequest) => boolean = () => true) {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { gate: (request: MediaRequest) => (blocks(request) ? promise : undefined), open: resolve };
}

test.each([
  ["a port", false],
  ["a Unix socket", true],
])("files are at the sidecar before their message, over %s, and ours go with the ack", async (_, isUnix) => {
  const { sidecar, link, capture, drained, media } = await setUp({ isUnix });
  const files = [randomBytes(10), randomBytes(LARGE_BYTES), Buffer.alloc(0)];
  capture("A1", ...files);
  link.start();
  await drained();
  for (const bytes of files) expect(sidecar.media.files.get(sha256Of(bytes))?.equals(bytes)).toBe(true);
  expect(sidecar.violations).toEqual([]);
  expect(sidecar.media.violations).toEqual([]);
  expect(readdirSync(media)).toEqual([]);
});

test("what the sidecar has already is not sent again, and what several messages wait for is sent once", async () => {
  const { sidecar, link, capture, drained } = await setUp();
  const shared = randomBytes(1_000_000);
  const known = randomBytes(1_000);
  sidecar.media.files.set(sha256Of(known), known);
  for (const id of ["A1", "B1", "C1", "D1"]) capture(id, shared, known);
  link.start();
  await drained();
  expect(sidecar.media.patches(sha256Of(shared))).toHaveLength(1);
  expect(sidecar.media.patches(sha256Of(known))).toEqual([]);
  expect(sidecar.violations).toEqual([]);
});

test("a chat waits for its files, in order; no other chat does", async () => {
  const { sidecar, link, capture, drained } = await setUp();
  const slow = gate();
  sidecar.media.gate = slow.gate;
  capture("A1", randomBytes(100));
  for (const id of ["A2", "B1", "A3", "B2"]) capture(id);
  link.start();
  await until("the other chat is through", () => sidecar.ids.includes("B2"));
  await until("under way", () => sidecar.media.open === 1);
  capture("A4");
  capture("B3");
  await until("a new message of the other chat too", () => sidecar.ids.includes("B3"));
  expect(sidecar.ids).toEqual(["B1", "B2", "B3"]);
  slow.open();
  await drained();
  expect(sidecar.ids.slice(3)).toEqual(["A1", "A2", "A3", "A4"]);
});

test("files of one chat arrive in any order, its messages in theirs", async () => {
  const { sidecar, link, capture, drained } = await setUp();
  const first = randomBytes(2_000_000);
  const slow = gate(({ sha256 }) => sha256 === sha256Of(first));
  sidecar.media.gate = slow.gate;
  capture("A1", first);
  capture("A2", randomBytes(10));
  capture("A3");
  capture("B1", randomBytes(10));
  link.start();
  await until("the other chat is through", () => sidecar.ids.includes("B1"));
  expect(sidecar.ids).toEqual(["B1"]);
  slow.open();
  await drained();
  expect(sidecar.ids).toEqual(["B1", "A1", "A2", "A3"]);
});

test("an upload that is cut goes on where it stopped", async () => {
  const { sidecar, link, capture, drained } = await setUp();
  const bytes = randomBytes(LARGE_BYTES);
  let cuts = 3;
  sidecar.media.cutsAfter = () => (cuts-- > 0 ? 700_000 : Number.POSITIVE_INFINITY);
  capture("A1", bytes);
  link.start();
  await drained();
  expect(sidecar.media.patches().map(({ offset }) => offset)).toEqual([0, 700_000, 1_400_000, 2_100_000]);
  expect(sidecar.media.patches().at(-1)?.receivedBytes).toBe(900_000);
  expect(sidecar.violations).toEqual([]);
});

test("a sidecar that is restarted during an upload gets the rest, then the message", async () => {
  const { sidecar, link, capture, drained } = await setUp();
  const bytes = randomBytes(LARGE_BYTES);
  sidecar.media.cutsAfter = () => 1_000_000;
  capture("A1", bytes);
  link.start();
  await until("begun", () => sidecar.media.patches().some(({ receivedBytes }) => receivedBytes > 0));
  await sidecar.stop();
  expect(sidecar.ids).toEqual([]);
  sidecar.media.cutsAfter = () => Number.POSITIVE_INFINITY;
  await sidecar.listen();
  await drained();
  expect(sidecar.media.has(sha256Of(bytes))).toBe(true);
  expect(sidecar.media.patches().at(-1)?.offset).toBeGreaterThan(0);
  expect(sidecar.ids).toEqual(["A1"]);
});

test.each([
  [413, OMITTED.tooLarge],
  [507, OMITTED.noRoom],
])(
  "refused with %i, the file is left out with the reason, on this attempt and on all others",
  async (status, reason) => {
    const { sidecar, link, outbox, capture, drained, omitted, media } = await setUp();
    const [good, bad] = [randomBytes(10), randomBytes(LARGE_BYTES)];
    sidecar.media.refuses = ({ method, sha256 }) =>
      method === "PATCH" && sha256 === sha256Of(bad) ? status : undefined;
    sidecar.answers = () => undefined;
    const seq = capture("A1", good, bad);
    link.start();
    await until("sent", () => sidecar.ids.length === 1);
    expect(omitted("A1")).toEqual([undefined, reason]);
    expect(readdirSync(media)).toEqual([sha256Of(good)]);
    expect(outbox.get(seq)?.files).toBe(1);
    sidecar.media.refuses = () => undefined;
    sidecar.answers = ({ ref }) => ack(ref);
    sidecar.drop();
    await drained();
    expect(sidecar.messages[1]).toEqual(sidecar.messages[0]);
    expect(sidecar.media.patches(sha256Of(bad))).toHaveLength(1);
    expect(readdirSync(media)).toEqual([]);
  },
);

test("a file that was deleted or cut short under us is left out as lost", async () => {
  const { sidecar, log, link, capture, drained, omitted, media } = await setUp();
  const files = [randomBytes(10), randomBytes(1_000), randomBytes(20)];
  capture("A1", ...files);
  capture("A2");
  const [gone = "", short = ""] = files.map(sha256Of);
  rmSync(join(media, gone));
  truncateSync(join(media, short), 999);
  link.start();
  await drained();
  expect(omitted("A1")).toEqual([OMITTED.lost, OMITTED.lost, undefined]);
  expect(sidecar.ids).toEqual(["A1", "A2"]);
  expect(log.lines.filter((line) => line.includes("message_id=A1 goes without one of its files"))).toHaveLength(2);
  expect(readdirSync(media)).toEqual([]);
});

test("bytes that are not what their name says are tried again, then left out as lost", async () => {
  const { sidecar, link, capture, drained, omitted, media } = await setUp();
  const bytes = randomBytes(1_000);
  capture("A1", bytes);
  writeFileSync(join(media, sha256Of(bytes)), randomBytes(1_000));
  link.start();
  await drained();
  expect(omitted("A1")).toEqual([OMITTED.lost]);
  expect(sidecar.media.patches()).toHaveLength(3);
});

test.each([401, 404, 409, 500, 503])("answered with %i, an upload is tried again until it works", async (status) => {
  const { sidecar, log, link, capture, drained, omitted } = await setUp();
  let refusals = 4;
  sidecar.media.refuses = ({ method }) => (method === "PATCH" && refusals-- > 0 ? status : undefined);
  capture("A1", randomBytes(1_000));
  capture("A2");
  link.start();
  await drained();
  expect(omitted("A1")).toEqual([undefined]);
  expect(sidecar.ids).toEqual(["A1", "A2"]);
  expect(sidecar.connections).toBe(1);
  expect(log.lines.filter((line) => line.startsWith("warn")).length).toBeLessThanOrEqual(1);
});

test("a message refused with no_file is sent again after its file, and nothing overtakes it", async () => {
  const { sidecar, link, capture, drained } = await setUp();
  const bytes = randomBytes(1_000);
  let refusals = 3;
  sidecar.answers = ({ ref, message }) => {
    if (message.message_id !== "A1" || refusals === 0) return ack(ref);
    refusals -= 1;
    sidecar.media.files.delete(sha256Of(bytes));
    return noFile(ref);
  };
  capture("A1", bytes);
  capture("A2");
  capture("B1");
  link.start();
  await drained();
  expect(sidecar.taken.filter((id) => id !== "B1")).toEqual(["A1", "A2"]);
  expect(sidecar.ids.filter((id) => id === "A1")).toHaveLength(4);
  expect(sidecar.media.patches()).toHaveLength(4);
  expect(sidecar.violations).toEqual([]);
});

test("a message with files that is refused for good is a dead letter with them, and its chat goes on", async () => {
  const { sidecar, link, outbox, capture, drained, media } = await setUp();
  const bytes = randomBytes(10);
  sidecar.answers = ({ ref, message }) =>
    message.message_id === "A1"
      ? { v: WIRE_VERSION, type: "refused", ref, code: "bad_message", reason: "odd", retry: false }
      : ack(ref);
  capture("A1", bytes);
  capture("A2");
  link.start();
  await drained();
  expect(sidecar.ids).toEqual(["A1", "A2"]);
  expect(outbox.totals()).toMatchObject({ dead: 1, files: 1 });
  expect(readdirSync(media)).toEqual([sha256Of(bytes)]);
});

test("a backlog with files drains in order, a few uploads at a time", async () => {
  const { sidecar, link, outbox, capture, captureIn, drained, media } = await setUp();
  sidecar.credit = 10;
  const chats = ["A", "B", "C", "D", "E", "F", "G", "H"];
  const expected = new Map<string, string[]>(chats.map((chat) => [chat, []]));
  for (let n = 0; n < 160; n += 1) {
    const chat = chats[n % chats.length] ?? "";
    const id = `${chat}${n}`;
    expected.get(chat)?.push(id);
    capture(id, ...(n % 3 === 0 ? [randomBytes(2_000)] : []));
  }
  // 100 chats of one message with a file each: more than may be on their way at once.
  for (let n = 0; n < 100; n += 1) captureIn(`+1555${1_000 + n}`, `only${n}`, randomBytes(500));
  link.start();
  await drained();
  for (const [chat, ids] of expected) expect(sidecar.ids.filter((id) => id.startsWith(chat))).toEqual(ids);
  expect(sidecar.ids).toHaveLength(260);
  expect(sidecar.media.mostOpen).toBeLessThanOrEqual(4);
  expect(sidecar.violations).toEqual([]);
  expect(outbox.totals()).toMatchObject({ files: 0, fileBytes: 0 });
  expect(readdirSync(media)).toEqual([]);
}, 60_000);

test("a new message passes a chat with thousands that wait for a file, and those follow when it is there", async () => {
  const { sidecar, link, outbox, capture, drained } = await setUp();
  const slow = gate();
  sidecar.media.gate = slow.gate;
  capture("A0", randomBytes(10));
  for (let n = 1; n < 1_200; n += 1) capture(`A${n}`);
  link.start();
  await until("under way", () => sidecar.media.open === 1);
  capture("B1");
  await until("passed", () => sidecar.ids.length === 1);
  slow.open();
  await until("drained", () => outbox.totals().waiting === 0, 15_000);
  expect(sidecar.ids).toEqual(["B1", ...Array.from({ length: 1_200 }, (_, n) => `A${n}`)]);
  await drained();
}, 60_000);

test("a chat with 10,000 messages behind a file that hangs stops no other chat's backlog", async () => {
  const { sidecar, link, capture, drained, fill } = await setUp();
  const slow = gate();
  sidecar.media.gate = slow.gate;
  const behind = Array.from({ length: 10_000 }, (_, n) => ({ id: `A${n + 1}`, chat: CHAT_A }));
  const others = Array.from({ length: 300 }, (_, n) => ({ id: `O${n}`, chat: `+1555${1_000 + (n % 30)}` }));
  capture("A0", randomBytes(10));
  fill([...behind, ...others]);
  link.start();
  await until("the others are through", () => sidecar.ids.length === 300);
  expect(new Set(sidecar.ids)).toEqual(new Set(others.map(({ id }) => id)));
  for (const { chat } of others.slice(0, 30)) {
    const ofChat = sidecar.messages.filter(({ chat_id }) => chat_id === chat).map(({ message_id }) => message_id);
    expect(ofChat).toEqual(others.filter((one) => one.chat === chat).map(({ id }) => id));
  }
  sidecar.frames.length = 0;
  slow.open();
  await drained(60_000);
  expect(sidecar.ids).toEqual(["A0", ...behind.map(({ id }) => id)]);
}, 90_000);

test("pictures of more chats than are brought at a time stop no other chat's backlog", async () => {
  const { sidecar, link, capture, captureIn, drained } = await setUp();
  const slow = gate();
  sidecar.media.gate = slow.gate;
  for (let n = 0; n < 100; n += 1) captureIn(`+1555${1_000 + n}`, `picture${n}`, randomBytes(500));
  for (const id of ["B1", "C1", "B2"]) capture(id);
  link.start();
  await until("the texts are through", () => sidecar.ids.length === 3);
  expect(sidecar.ids.toSorted()).toEqual(["B1", "B2", "C1"]);
  slow.open();
  await drained();
  expect(sidecar.violations).toEqual([]);
});

test("a connection that only uploads, for longer than a silence may last, is not taken for a dead one", async () => {
  const { sidecar, link, capture, drained } = await setUp({ timing: { beatMs: 5 } });
  sidecar.media.cutsAfter = () => 1_000;
  capture("A1", randomBytes(LARGE_BYTES));
  link.start();
  await until("begun", () => sidecar.media.patches().length > 0);
  const now = performance.now.bind(performance);
  let aheadMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now() + aheadMs);
  onTestFinished(() => void vi.restoreAllMocks());
  for (let passed = 0; passed < 3; passed += 1) {
    aheadMs += FAST.silenceMs * 0.6;
    const { pings } = sidecar;
    await until("it has asked, and had its answer", () => sidecar.pings >= pings + 2);
  }
  expect(sidecar.ids).toEqual([]);
  sidecar.media.cutsAfter = () => Number.POSITIVE_INFINITY;
  await drained();
  expect(sidecar.connections).toBe(1);
});

test("an upload on which nothing moves is given up and begun again", async () => {
  const { sidecar, link, capture, drained } = await setUp({ timing: { silenceMs: 100, beatMs: 5 } });
  const never = gate();
  sidecar.media.gate = never.gate;
  capture("A1", randomBytes(20_000_000));
  link.start();
  await until("tried again", () => sidecar.media.patches().length > 1);
  sidecar.media.gate = () => undefined;
  never.open();
  await drained();
  // On a slow machine 100 ms can pass before its ack, and it is sent again.
  expect(new Set(sidecar.ids)).toEqual(new Set(["A1"]));
  expect(sidecar.violations).toEqual([]);
});

test("stop breaks uploads off at once; the next link goes on with the rest", async () => {
  const { sidecar, link, outbox, log, capture } = await setUp({ timing: { silenceMs: 60_000 } });
  const bytes = randomBytes(LARGE_BYTES);
  const never = gate(({ offset }) => offset > 0);
  sidecar.media.gate = never.gate;
  let cuts = 1;
  // Several go at once, and none of the others may be the one that is cut.
  sidecar.media.cutsAfter = ({ sha256 }) =>
    sha256 === sha256Of(bytes) && cuts-- > 0 ? 1_000_000 : Number.POSITIVE_INFINITY;
  capture("A1", bytes);
  for (const id of ["B1", "C1", "D1", "E1", "F1"]) capture(id, randomBytes(10));
  link.start();
  // The one that goes on with the rest is being read; a link that breaks meanwhile makes it one more.
  await until(
    "hanging",
    () => sidecar.media.open === 1 && (sidecar.media.patches(sha256Of(bytes)).at(-1)?.offset ?? 0) > 0,
  );
  await link.stop();
  expect(existsSync(join(outbox.media.path, sha256Of(bytes)))).toBe(true);
  expect(outbox.get(1)).toMatchObject({ files: 1 });
  sidecar.media.gate = () => undefined;
  never.open();
  const next = new Link({
    config: { url: sidecar.url, token: TOKEN },
    ...{ openclawVersion: "2026.9.6", outbox: () => outbox, observations: new Observations(), log, timing: FAST },
  });
  onTestFinished(() => next.stop());
  next.start();
  await until("drained", () => outbox.totals().waiting === 0);
  await next.stop();
  expect(sidecar.media.patches(sha256Of(bytes)).at(-1)?.offset).toBeGreaterThanOrEqual(1_000_000);
});
