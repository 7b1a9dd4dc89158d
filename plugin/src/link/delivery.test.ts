import { join } from "node:path";
import { MAX_FRAME_BYTES } from "@hotbags/shared";
import { expect, onTestFinished, test, vi } from "vitest";
import { Outbox } from "../outbox/outbox.ts";
import { fillOutbox, putWithFiles } from "../testing/backlog.ts";
import { temporaryFolder } from "../testing/folder.ts";
import { memoryLog } from "../testing/log.ts";
import { captured } from "../testing/messages.ts";
import { Delivery } from "./delivery.ts";
import { GoneError, type Next, SendWindow } from "./window.ts";

const REST_MS = 1_000;
const NOT_STORED = { code: "not_stored", reason: "the disk is full", retry: true } as const;
const NO_FILE = { code: "no_file", reason: "a file is not here", retry: true } as const;

function open() {
  const file = join(temporaryFolder(), "outbox.sqlite");
  const outbox = new Outbox(file);
  onTestFinished(() => outbox.close());
  return { file, outbox };
}

/** A delivery whose uploads are through when the test says so. */
function setUp(...ids: string[]) {
  const { file, outbox } = open();
  const uploads: (() => void)[] = [];
  const ensure = () => new Promise<undefined>((done) => uploads.push(() => done(undefined)));
  const delivery = new Delivery({
    ...{ outbox, log: memoryLog(), restMs: REST_MS, uploads: { ensure, pause: async () => {} } },
    onPrepared: () => {},
    onFailed: (error) => {
      throw error;
    },
  });
  const refs = new Map<string, number>();
  const capture = (id: string, ...files: Buffer[]) => {
    const seq = putWithFiles(outbox, { id, chat: `+1555000${id.charCodeAt(0)}` }, files);
    refs.set(id, seq);
    delivery.offer(seq);
  };
  for (const id of ids) capture(id);
  /** What goes in one turn. */
  const turn = (nowMs = 0, credit = 256): string[] => {
    delivery.turn(nowMs);
    const sent: string[] = [];
    for (;;) {
      const frame = delivery.next(credit, MAX_FRAME_BYTES);
      if (frame === undefined) return sent;
      sent.push(JSON.parse(frame).message.message_id);
    }
  };
  const ack = (id: string) => delivery.acknowledged(refs.get(id) ?? 0);
  const refuse = (id: string, refusal: Parameters<Delivery["refused"]>[1] = NOT_STORED, nowMs = 0) =>
    delivery.refused(refs.get(id) ?? 0, refusal, nowMs);
  const upload = async () => {
    for (const done of uploads.splice(0)) done();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { file, outbox, delivery, capture, turn, ack, refuse, upload, refs };
}

test("chats take turns, each in order", () => {
  const { turn } = setUp("A1", "A2", "A3", "B1", "B2", "C1");
  expect(turn()).toEqual(["A1", "A2", "A3", "B1", "B2", "C1"]);
  const { file, outbox, delivery } = setUp();
  const texts = ["A1", "A2", "A3", "B1", "B2", "C1"].map((id) => ({ id, chat: `+1555000${id.charCodeAt(0)}` }));
  fillOutbox(file, texts);
  delivery.turn(0);
  const order = texts.map(() => JSON.parse(delivery.next(256, MAX_FRAME_BYTES) ?? "{}").message?.message_id);
  expect(order).toEqual(["A1", "B1", "C1", "A2", "B2", "A3"]);
  expect(outbox.totals().waiting).toBe(6);
});

test("after a refusal nothing of the chat goes until all that is under way is answered, then the refused one first", () => {
  const { turn, capture, ack, refuse } = setUp("A1", "A2", "A3");
  expect(turn()).toEqual(["A1", "A2", "A3"]);
  refuse("A1");
  capture("A4");
  expect(turn(2 * REST_MS)).toEqual([]);
  refuse("A2", NOT_STORED, 2 * REST_MS);
  expect(turn(2 * REST_MS)).toEqual([]);
  refuse("A3", NOT_STORED, 2 * REST_MS);
  expect(turn(2 * REST_MS)).toEqual(["A1", "A2", "A3", "A4"]);
  for (const id of ["A1", "A2", "A3", "A4"]) expect(ack(id)).toBe(true);
  expect(turn(2 * REST_MS)).toEqual([]);
});

test("a chat whose message was refused rests", () => {
  const { delivery, turn, refuse } = setUp("A1");
  turn();
  refuse("A1");
  expect(turn(REST_MS - 1)).toEqual([]);
  expect(delivery.dueMs).toBe(REST_MS);
  expect(turn(REST_MS)).toEqual(["A1"]);
  expect(delivery.dueMs).toBeUndefined();
});

test("a message that is refused after it was sent again comes first once more", () => {
  const { turn, refuse, ack } = setUp("A1", "A2");
  turn();
  refuse("A1");
  refuse("A2");
  expect(turn(REST_MS)).toEqual(["A1", "A2"]);
  ack("A1");
  refuse("A2", NOT_STORED, REST_MS);
  expect(turn(2 * REST_MS)).toEqual(["A2"]);
});

test("what follows with files on their way waits for the refused one, and goes after it", async () => {
  const { turn, capture, refuse, upload } = setUp("A1");
  capture("A2", Buffer.from("a picture"));
  capture("A3");
  expect(turn()).toEqual(["A1"]);
  refuse("A1");
  await upload();
  expect(turn(REST_MS - 1)).toEqual([]);
  expect(turn(REST_MS)).toEqual(["A1"]);
  await upload();
  expect(turn(REST_MS)).toEqual(["A2", "A3"]);
});

test("a refusal rests its own chat; a message without its file needs no rest, and those behind it say nothing new", async () => {
  const { turn, capture, refuse, upload } = setUp();
  capture("A1", Buffer.from("a picture"));
  turn();
  await upload();
  capture("A2");
  capture("B1");
  expect(turn()).toEqual(["A1", "A2", "B1"]);
  refuse("A1", NO_FILE);
  refuse("A2");
  turn();
  await upload();
  expect(turn()).toEqual(["A1", "A2"]);
  refuse("A1");
  refuse("A2");
  capture("B2");
  capture("C1");
  expect(turn()).toEqual(["B2", "C1"]);
});

test("two refusals and nothing taken: one message at a time is tried, with a rest before each, until one is taken", () => {
  const { delivery, turn, capture, refuse, ack } = setUp("A1", "B1", "C1");
  expect(turn()).toEqual(["A1", "B1", "C1"]);
  for (const id of ["A1", "B1", "C1"]) refuse(id);
  for (const id of ["D1", "E1"]) capture(id);
  expect(turn()).toEqual([]);
  expect(delivery.dueMs).toBe(REST_MS);
  expect(turn(REST_MS)).toEqual(["D1"]);
  expect(turn(2 * REST_MS)).toEqual([]);
  refuse("D1", NOT_STORED, 2 * REST_MS);
  expect(turn(2 * REST_MS)).toEqual([]);
  expect(turn(3 * REST_MS)).toEqual(["E1"]);
  ack("E1");
  expect(turn(3 * REST_MS).toSorted()).toEqual(["A1", "B1", "C1", "D1"]);
});

test("a refused message that somebody else has taken out ends the connection, or its chat would wait for ever", () => {
  const { turn, refuse, outbox, refs } = setUp("A1", "A2");
  turn();
  refuse("A1");
  refuse("A2");
  outbox.remove([refs.get("A1") ?? 0]);
  expect(() => turn(REST_MS)).toThrow(GoneError);
});

/** One chat with a picture that hangs and `behind` texts, then 20 other chats with five each. */
function jam(behind: number) {
  const { file, outbox } = open();
  const picture = putWithFiles(outbox, { id: "picture", chat: "+15550000" }, [Buffer.from("a picture")]);
  const texts = Array.from({ length: behind }, (_, n) => ({ id: `behind${n}`, chat: "+15550000" }));
  const others = Array.from({ length: 100 }, (_, n) => ({ id: `other${n}`, chat: `+1555${1_000 + (n % 20)}` }));
  fillOutbox(file, [...texts, ...others]);
  return { outbox, picture, others: others.map(({ id }) => id) };
}

test("a turn costs the same with ten times the backlog, and what is known of it is no more", () => {
  const costs = [1_000, 10_000].map((behind) => {
    const { outbox, others } = jam(behind);
    const spies = (["get", "nextOf", "after"] as const).map((verb) => vi.spyOn(outbox, verb));
    const calls = () => spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    const window = new SendWindow(outbox);
    const sent: string[] = [];
    let mostCalls = 0;
    while (window.hasMore || sent.length < others.length) {
      const before = calls();
      window.turn(0);
      for (let next = window.next(); next !== undefined; next = window.next()) {
        if (next.mustPrepare) continue;
        sent.push(next.row.messageId);
        window.confirm(next.row.seq);
        outbox.remove([next.row.seq]);
        window.forget(next.row.seq);
      }
      mostCalls = Math.max(mostCalls, calls() - before);
    }
    expect(sent.toSorted()).toEqual(others.toSorted());
    expect(window.size).toBe(0);
    const mostRows = Math.max(...spies.flatMap(({ mock }) => mock.calls.map((args) => Number(args[1] ?? 1))));
    return { mostCalls, mostRows: Math.min(mostRows, 256) };
  });
  expect(costs[1]).toEqual(costs[0]);
});

test("at the limit of chats the backlog of others waits, new messages don't, and all goes when there is room", () => {
  const { file, outbox } = open();
  const window = new SendWindow(outbox, { lanes: 3, preparing: 1 });
  const pictures = Array.from({ length: 5 }, (_, n) =>
    putWithFiles(outbox, { id: `picture${n}`, chat: `+1555100${n}` }, [Buffer.from(`picture ${n}`)]),
  );
  fillOutbox(file, [{ id: "text", chat: "+15552000" }]);
  const take = () => {
    window.turn(0);
    const taken: Next[] = [];
    for (let next = window.next(); next !== undefined; next = window.next()) taken.push(next);
    return taken;
  };
  const about = (taken: Next[]) => taken.map(({ row, mustPrepare }) => [row.messageId, mustPrepare]);
  const hanging = take();
  expect(about(hanging)).toEqual([["picture0", true]]);
  expect(window.hasMore).toBe(false);
  for (const chat of ["+15553000", "+15553001"]) {
    window.offer(outbox.put(captured({ message_id: `to ${chat}`, chat_id: chat, from: chat }), 0)?.seq ?? 0);
  }
  window.offer(putWithFiles(outbox, { id: "picture5", chat: "+15551005" }, [Buffer.from("picture 5")]));
  expect(about(take())).toEqual([
    ["to +15553000", false],
    ["to +15553001", false],
  ]);
  const sent: string[] = [];
  for (let taken = hanging; taken.length > 0 || window.hasMore; taken = take()) {
    for (const { row, mustPrepare } of taken) {
      if (mustPrepare) {
        window.prepared(row.seq);
        continue;
      }
      sent.push(row.messageId);
      window.confirm(row.seq);
      outbox.remove([row.seq]);
      window.forget(row.seq);
    }
  }
  expect(sent.toSorted()).toEqual([...pictures.map((_, n) => `picture${n}`), "picture5", "text"]);
});
