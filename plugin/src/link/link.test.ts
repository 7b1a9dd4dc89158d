import { join } from "node:path";
import { WIRE_VERSION } from "@hotbags/shared";
import { expect, onTestFinished, test, vi } from "vitest";
import { Outbox } from "../outbox/outbox.ts";
import { countingRelay } from "../testing/counting-relay.ts";
import { temporaryFolder } from "../testing/folder.ts";
import { memoryLog } from "../testing/log.ts";
import { captured } from "../testing/messages.ts";
import { ScratchSidecar, TOKEN } from "../testing/sidecar.ts";
import { until } from "../testing/until.ts";
import { sentFrame } from "./frames.ts";
import { Link } from "./link.ts";
import { Observations } from "./observations.ts";
import { LINK_TIMING, type LinkTiming } from "./timing.ts";

const NOW = 1_767_607_200_000;
const FAST: LinkTiming = { ...LINK_TIMING, reconnectBaseMs: 1, reconnectMaxMs: 5, retryMs: 1 };

type SetUp = {
  timing?: Partial<LinkTiming>;
  token?: string;
  messages?: string[];
  sidecar?: ScratchSidecar;
  url?: string;
};

async function setUp(options: SetUp = {}) {
  const outbox = new BreakableOutbox(join(temporaryFolder(), "outbox.sqlite"));
  const sidecar = options.sidecar ?? (await ScratchSidecar.start());
  const log = memoryLog();
  const observations = new Observations();
  const link = new Link({
    config: { url: options.url ?? sidecar.url, token: options.token ?? TOKEN },
    ...{ openclawVersion: "2026.9.6", outbox: () => outbox, observations, log },
    timing: { ...FAST, ...options.timing },
  });
  /** Captures messages into the outbox and tells the link, as the intake does. */
  const capture = (...ids: string[]) => {
    for (const id of ids) {
      const stored = outbox.put(captured({ message_id: id, chat_id: chatOf(id), from: chatOf(id) }), NOW);
      if (stored !== undefined) link.offer(stored.seq);
    }
  };
  capture(...(options.messages ?? []));
  onTestFinished(async () => {
    await link.stop();
    outbox.close();
  });
  return { outbox, sidecar, log, link, observations, capture, empty: () => outbox.totals().waiting === 0 };
}

/** An outbox whose disk can be taken away for a while. */
class BreakableOutbox extends Outbox {
  #isBroken = false;

  break(): void {
    this.#isBroken = true;
  }

  mend(): void {
    this.#isBroken = false;
  }

  override totals() {
    if (this.#isBroken) throw new Error("disk I/O error");
    return super.totals();
  }

  override remove(seqs: readonly number[]): void {
    if (this.#isBroken) throw new Error("disk I/O error");
    super.remove(seqs);
  }
}

/** `A1` and `A2` are of one chat, `B1` of another. */
function chatOf(id: string): string {
  return `+1555000${id.charCodeAt(0)}`;
}

function range(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n}`);
}

const later = (frame: { ref: number }) => ({
  ...{ v: WIRE_VERSION, type: "refused", ref: frame.ref, code: "not_stored", reason: "the disk is full", retry: true },
});

test("greets, waits for the welcome, then sends in order and deletes what is acknowledged", async () => {
  const { sidecar, link, empty } = await setUp({ messages: range("A", 500) });
  link.start();
  await until("drained", empty);
  expect(sidecar.ids).toEqual(range("A", 500));
  expect(sidecar.frames[0]).toMatchObject({ type: "hello", plugin_version: "0.1.0", openclaw_version: "2026.9.6" });
  expect(sidecar.frames[1]).toMatchObject({ type: "status", outbox_messages: 500, parked_messages: 0 });
  expect(sidecar.violations).toEqual([]);
});

test("a message captured while connected goes at once, not when the gateway has done all that it does in the same turn", async () => {
  const sidecar = await ScratchSidecar.start();
  const relay = await countingRelay(sidecar.url);
  const { link, capture, empty } = await setUp({ sidecar, url: relay.url });
  link.start();
  await until("up", () => link.isUp);
  capture("A1");
  await until("drained", empty);
  const before = relay.bytes();
  capture("A2");
  // More than a ping, less than a message: this thread goes on with nothing else until it is there.
  expect(relay.waitFor(before + 100)).toBe(true);
  await until("drained", empty);
  expect(sidecar.ids).toEqual(["A1", "A2"]);
});

test("sends nothing before the welcome, and no more than the credit without an ack", async () => {
  const { sidecar, link, outbox, empty } = await setUp({ messages: range("A", 20) });
  sidecar.welcomes = false;
  sidecar.credit = 3;
  const refs: number[] = [];
  sidecar.answers = (frame) => void refs.push(frame.ref);
  link.start();
  await until("greeted", () => sidecar.frames.length === 1);
  expect(sidecar.messages).toEqual([]);
  sidecar.send({ v: WIRE_VERSION, type: "welcome", sidecar_version: "0", credit: 3, max_frame_bytes: 1_000_000 });
  await until("three sent", () => refs.length === 3);
  for (let answered = 0; answered < 20; answered += 1) {
    await until("sent", () => refs.length === Math.min(20, answered + 3));
    expect(outbox.totals().waiting).toBe(20 - answered);
    sidecar.send({ v: WIRE_VERSION, type: "ack", ref: refs[answered], duplicate: false });
    await until("deleted", () => outbox.totals().waiting === 19 - answered);
  }
  expect(empty()).toBe(true);
  expect(sidecar.ids).toEqual(range("A", 20));
});

test("after a dropped connection everything unacknowledged is sent again, with the same content, in order", async () => {
  const { sidecar, link, outbox, empty } = await setUp({ messages: range("A", 5) });
  sidecar.answers = (frame) =>
    frame.message.message_id === "A0" ? { v: WIRE_VERSION, type: "ack", ref: frame.ref, duplicate: false } : undefined;
  link.start();
  await until("first acknowledged", () => outbox.totals().waiting === 4 && sidecar.messages.length === 5);
  const before = sidecar.messages.slice(1);
  sidecar.answers = (frame) => ({ v: WIRE_VERSION, type: "ack", ref: frame.ref, duplicate: true });
  sidecar.drop();
  await until("drained", empty);
  expect(sidecar.messages.slice(5)).toEqual(before);
  expect(sidecar.connections).toBe(2);
});

test("with the sidecar away the outbox grows, and drains in order when it is back, new messages of other chats first", async () => {
  const { sidecar, log, link, capture, outbox, empty } = await setUp({ messages: range("A", 300) });
  await sidecar.stop();
  link.start();
  await until("complained", () => log.lines.length > 0);
  expect(log.lines).toEqual([
    expect.stringMatching(/^warn hotbags: sidecar link is down: .*trying again, 300 message\(s\) wait$/),
  ]);
  sidecar.credit = 10;
  sidecar.answers = () => undefined;
  await sidecar.listen();
  await until("first window sent", () => sidecar.messages.length === 10);
  capture("B0", "B1", "A300");
  const refs = sidecar.frames.flatMap((frame) => (frame.type === "message" ? [frame.ref] : []));
  sidecar.answers = (frame) => ({ v: WIRE_VERSION, type: "ack", ref: frame.ref, duplicate: false });
  for (const ref of refs) sidecar.send({ v: WIRE_VERSION, type: "ack", ref, duplicate: false });
  await until("drained", empty);
  expect(sidecar.ids.slice(10, 12)).toEqual(["B0", "B1"]);
  expect(sidecar.ids.filter((id) => id.startsWith("A"))).toEqual(range("A", 301));
  expect(outbox.totals()).toMatchObject({ waiting: 0, waitingBytes: 0 });
});

test("an incomplete message blocks the later ones of its chat and no others", async () => {
  const { sidecar, link, outbox, capture, empty } = await setUp();
  const first = outbox.put(captured({ message_id: "A1", chat_id: chatOf("A") }), NOW, true)?.seq ?? 0;
  capture("A2", "B1", "A3");
  link.start();
  await until("the other chat is through", () => sidecar.ids.includes("B1"));
  expect(sidecar.ids).toEqual(["B1"]);
  outbox.release(first);
  link.offer(first);
  await until("drained", empty);
  expect(sidecar.ids).toEqual(["B1", "A1", "A2", "A3"]);
});

test("a message refused for good is a dead letter and named; the others go on", async () => {
  const { sidecar, log, link, outbox, empty } = await setUp({ messages: ["A1", "A2", "A3"] });
  sidecar.answers = ({ ref, message }) =>
    message.message_id === "A2"
      ? { v: WIRE_VERSION, type: "refused", ref, code: "bad_message", reason: "message.text: odd", retry: false }
      : { v: WIRE_VERSION, type: "ack", ref, duplicate: false };
  link.start();
  await until("drained", empty);
  expect(outbox.totals().dead).toBe(1);
  expect(log.lines).toContainEqual(
    expect.stringMatching(
      /^error hotbags: account=default chat=\+1555…65 message_id=A2 code=bad_message a dead letter now/,
    ),
  );
});

test("what the sidecar cannot store now is sent again later, its chat stays in order, and no other waits", async () => {
  const { sidecar, log, link, empty } = await setUp({ messages: ["A1", "A2", "B1"] });
  sidecar.credit = 1;
  let refusals = 3;
  sidecar.answers = (frame) => {
    if (frame.message.message_id !== "A1" || refusals === 0) {
      return { v: WIRE_VERSION, type: "ack", ref: frame.ref, duplicate: false };
    }
    refusals -= 1;
    return later(frame);
  };
  link.start();
  await until("drained", empty);
  expect(sidecar.ids).toEqual(["A1", "B1", "A1", "A1", "A1", "A2"]);
  expect(log.lines.filter((line) => line.includes("cannot take a message now"))).toHaveLength(1);
  expect(sidecar.connections).toBe(1);
});

test("a message larger than the sidecar takes is a dead letter without being sent", async () => {
  const { sidecar, link, outbox, empty } = await setUp();
  sidecar.maxFrameBytes = 2_000;
  outbox.put(captured({ message_id: "big", text: "x".repeat(2_000) }), NOW);
  outbox.put(captured({ message_id: "small" }), NOW);
  link.start();
  await until("drained", empty);
  expect(sidecar.ids).toEqual(["small"]);
  expect(outbox.totals().dead).toBe(1);
});

test("a wrong token is named, without being shown, and tried again slowly", async () => {
  const { sidecar, log, link } = await setUp({ token: "wrong" });
  link.start();
  await until("refused twice", () => sidecar.rejected >= 2);
  expect(log.lines).toEqual([
    expect.stringMatching(/^error hotbags: sidecar link is down: .*config\.token does not match BRIDGE_TOKEN/),
  ]);
  expect(log.lines.join()).not.toContain("wrong");
});

test("frames that make no sense are ignored, and said once", async () => {
  const { sidecar, log, link, capture, empty } = await setUp();
  link.start();
  await until("up", () => link.isUp);
  sidecar.sendText("{");
  sidecar.sendText("[]");
  sidecar.send({ v: WIRE_VERSION, type: "ack", ref: -1, duplicate: false });
  sidecar.send({ v: WIRE_VERSION, type: "ack", ref: 4711, duplicate: false });
  sidecar.send(later({ ref: 4711 }));
  sidecar.send({ v: WIRE_VERSION, type: "refused", ref: null, code: "bad_frame", reason: "what?", retry: false });
  capture("A1");
  await until("drained", empty);
  expect(log.lines.filter((line) => line.startsWith("warn"))).toHaveLength(1);
  expect(sidecar.connections).toBe(1);
});

test("a frame that is nested thousands of levels deep is ignored, and one that is too large ends its connection only", async () => {
  const { sidecar, link, capture, empty } = await setUp();
  link.start();
  await until("up", () => link.isUp);
  const [arrays, objects] = ["[".repeat(30_000) + "]".repeat(30_000), `${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}`];
  sidecar.sendText(arrays);
  for (const deep of [arrays, objects]) {
    for (const field of ["type", "ref", "duplicate", "more"]) {
      const frame = { v: WIRE_VERSION, type: "ack", ref: 4711, duplicate: false, [field]: "deep" };
      sidecar.sendText(JSON.stringify(frame).replace('"deep"', deep));
    }
  }
  capture("A1");
  await until("drained", empty);
  expect(sidecar.connections).toBe(1);
  sidecar.sendText("[".repeat(1_000_000));
  await until("connected again", () => sidecar.connections === 2 && link.isUp);
  capture("A2");
  await until("drained", empty);
});

test("another wire version ends the connection and says what to install", async () => {
  const { sidecar, log, link } = await setUp();
  link.start();
  await until("up", () => link.isUp);
  sidecar.send({ v: 2, type: "welcome" });
  await until("complained", () => log.lines.some((line) => line.includes("wire version 2 is not spoken here")));
  await until("connected again", () => sidecar.connections > 1);
});

test.each([
  ["an earlier", { sidecar_version: "0.0.1" }],
  ["a later", { sidecar_version: "9.9.9", features: ["more"] }],
])("a sidecar of %s release gets the messages", async (_release, greeting) => {
  const { sidecar, link, empty } = await setUp({ messages: ["A1"] });
  sidecar.greeting = greeting;
  link.start();
  await until("drained", empty);
  expect(sidecar.taken).toEqual(["A1"]);
});

test("a sidecar that never says welcome is given up", async () => {
  const { sidecar, log, link } = await setUp();
  sidecar.welcomes = false;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  link.start();
  await until("greeted", () => sidecar.frames.length === 1);
  vi.advanceTimersByTime(FAST.openMs);
  await until("tried again", () => sidecar.connections > 1);
  expect(log.lines[0]).toContain("no welcome in time");
});

test("a connection that went silent is noticed and replaced", async () => {
  const { sidecar, log, link, empty } = await setUp({ timing: { beatMs: 5, silenceMs: 50 } });
  link.start();
  await until("up", () => link.isUp);
  sidecar.freeze();
  await until("replaced", () => sidecar.connections > 1 && link.isUp);
  expect(log.lines).toContainEqual(expect.stringContaining("the sidecar stopped answering"));
  expect(empty()).toBe(true);
});

test("a sidecar that answers pings but no messages is noticed too", async () => {
  const { sidecar, link, capture, empty } = await setUp({ timing: { beatMs: 5, silenceMs: 50 } });
  sidecar.answers = () => undefined;
  link.start();
  await until("up", () => link.isUp);
  capture("A1");
  await until("replaced", () => sidecar.connections > 1);
  sidecar.answers = (frame) => ({ v: WIRE_VERSION, type: "ack", ref: frame.ref, duplicate: true });
  await until("drained", empty);
});

test("an outbox that fails under an open connection ends that connection, and goes on when it works again", async () => {
  const { sidecar, link, outbox, capture, empty } = await setUp();
  sidecar.answers = () => undefined;
  link.start();
  await until("up", () => link.isUp);
  capture("A1");
  await until("sent", () => sidecar.ids.length === 1);
  outbox.break();
  sidecar.answers = (frame) => ({ v: WIRE_VERSION, type: "ack", ref: frame.ref, duplicate: true });
  sidecar.send({ v: WIRE_VERSION, type: "ack", ref: 1, duplicate: false });
  await until("ended", () => !link.isUp);
  outbox.mend();
  await until("drained", empty);
});

test("the state of the outbox is reported when it changes", async () => {
  const { sidecar, link, capture } = await setUp({ timing: { beatMs: 5 } });
  sidecar.answers = () => undefined;
  link.start();
  await until("up", () => link.isUp);
  capture("A1");
  await until("reported", () => sidecar.frames.some((f) => f.type === "status" && f.outbox_messages === 1));
  const statuses = sidecar.frames.filter((frame) => frame.type === "status");
  expect(statuses).toHaveLength(2);
  expect(statuses[1]).toMatchObject({ oldest_at: "2026-01-05T10:00:00.000Z" });
});

test("what OpenClaw has dropped is told with its reason, and without the numbers in it", async () => {
  const { sidecar, link, observations } = await setUp();
  const event = { to: "+15550001", content: "Yes!", success: false, error: "no chat +15550001234\nfound" };
  observations.add(sentFrame(event, { channelId: "whatsapp", accountId: "default" }, NOW) ?? "");
  link.start();
  await until("reported", () => sidecar.frames.some((frame) => frame.type === "sent"));
  const reported = { success: false, reason: "no chat +1555…34 found", whatsapp_message_id: null };
  expect(sidecar.frames.find((frame) => frame.type === "sent")).toMatchObject(reported);
});

test("observed sends wait for the connection, and the oldest are dropped beyond the limit", async () => {
  const { sidecar, link, observations } = await setUp();
  const observe = (to: string) => {
    const event = { to, content: "Yes!", success: true, messageId: "W1" };
    observations.add(sentFrame(event, { channelId: "whatsapp", accountId: "default" }, NOW) ?? "");
  };
  for (let n = 0; n < 1_001; n += 1) observe(`+1555${n}`);
  link.start();
  await until("reported", () => sidecar.frames.filter((frame) => frame.type === "sent").length === 1_000);
  expect(sidecar.frames.find((frame) => frame.type === "sent")).toMatchObject({
    ...{
      to: "+15551",
      account_id: "default",
      success: true,
      whatsapp_message_id: "W1",
      at: "2026-01-05T10:00:00.000Z",
    },
    text_sha256: "8aff5108a050bcfab25817bf86c37c2660c09db0c5cbea06cb49565c6644e7d2",
  });
  expect(JSON.stringify(sidecar.frames)).not.toContain("Yes!");
});

test("stop ends a connection, a connection attempt and a wait alike", async () => {
  const connected = await setUp();
  connected.link.start();
  await until("up", () => connected.link.isUp);
  await connected.link.stop();
  expect(connected.link.isUp).toBe(false);

  const deaf = await setUp({ timing: { closeMs: 10 } });
  deaf.sidecar.welcomes = false;
  deaf.link.start();
  await until("greeted", () => deaf.sidecar.connections === 1);
  deaf.sidecar.freeze();
  await deaf.link.stop();

  const dialling = await setUp();
  dialling.link.start();
  await dialling.link.stop();

  const waiting = await setUp({ timing: { reconnectBaseMs: 1e9, reconnectMaxMs: 1e9 } });
  await waiting.sidecar.stop();
  waiting.link.start();
  await until("waiting", () => waiting.log.lines.length === 1);
  await waiting.link.stop();
});
