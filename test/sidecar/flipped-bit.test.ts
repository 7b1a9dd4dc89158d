import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { openGateway } from "../../sidecar/src/gateway/index.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { HotBags as HotBagsClient } from "../../sidecar/src/relay/hotbags.ts";
import { Relay } from "../../sidecar/src/relay/relay.ts";
import { Replies } from "../../sidecar/src/replies/replies.ts";
import { openStore, type Store } from "../../sidecar/src/store/index.ts";
import { GATEWAY_TOKEN, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN } from "./built-sidecar.ts";
import { flipBit, remember } from "./damage.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { NOTHING_HELD } from "./nothing-held.ts";
import { clientOptions, RELAY_DEFAULTS } from "./real-relay.ts";

// A row that contradicts an index: every page can be read, but what was to be changed is not found, so that nothing would
// ever be written of the row that the index hands out again and again.

let dir: string;
let file: string;
let clock: SimulatedClock;
let store: Store;
let lines: { alarm?: boolean; msg?: string }[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-flipped-"));
  file = join(dir, "bridge.sqlite");
  clock = new SimulatedClock();
  store = openStore(dir, clock);
  lines = [];
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

const openTestLog = () => openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) });
const alarms = () => lines.filter(({ alarm }) => alarm === true);

/** Does something to the file while nobody has it open. */
function whileClosed(act: () => void) {
  store.close();
  act();
  store = openStore(dir, clock);
}

/** Moves the clock until it is so: what can't be written is tried again some seconds later. */
const inTime = (what: string, condition: () => boolean | Promise<boolean>) =>
  until(what, async () => {
    if (await condition()) return true;
    clock.advance(1_000);
    return false;
  });

const command = (id: string) => ({ commandId: id, type: "send_text", text: id, payload: id, refusal: null });
/** What stands before a command's state in its row. */
const beforeStateOf = (id: string) => createHash("sha256").update(id).digest("hex");

describe("of a message", () => {
  let hotbags: HotBags;

  beforeEach(async () => {
    hotbags = await startHotBags({ token: BEARER_TOKEN });
    onTestFinished(() => hotbags.close());
  });

  function startRelay() {
    const client = new HotBagsClient(clientOptions(hotbags.url));
    const parts = { store, hotbags: client, clock, timers: clock, log: openTestLog(), random: () => 0.5 };
    const relay = new Relay({ ...parts, onCommands: () => {}, onDoubt: () => {}, alarm: () => {} }, RELAY_DEFAULTS);
    onTestFinished(async () => {
      await relay.stop();
      await client.close();
    });
    void relay.takeUp();
  }

  const posts = (id: string) => hotbags.requests.filter(({ key }) => key === id).length;
  const allSettled = () => inTime("all are settled", async () => (await store.counters()).pending === 0);

  it("in its state: it is delivered, answered, and asked for no more than what a disk may fail for a moment", async () => {
    for (const id of ["a1", "a2", "a3"]) await store.messages.accept(messageOf(id));
    await store.messages.accept(messageOf("b1", BEN));
    hotbags.answers(({ message_id }) => [{ command_id: `to ${message_id}`, type: "send_text", text: "yes" }]);
    whileClosed(() => flipBit(file, "messages", "a2", "pending"));
    startRelay();
    await allSettled();
    expect(await store.counters()).toMatchObject({ accepted: 4, delivered: 4, dead: 0, commands_pending: 4 });
    expect(posts("a2")).toBe(3);
    expect(hotbags.accepted.map(({ message_id }) => message_id).filter((id) => id.startsWith("a"))).toEqual([
      ...["a1", "a2", "a3"],
    ]);
    expect(alarms()).toEqual([expect.objectContaining({ message_id: "a2" })]);
  });

  it("in its state, while Hot Bags refuses it: it is a dead letter with its reason, and its chat goes on", async () => {
    for (const id of ["a1", "a2"]) await store.messages.accept(messageOf(id));
    hotbags.faultFor(({ message_id }) => message_id === "a1", { status: 422 }, 50);
    whileClosed(() => flipBit(file, "messages", "a1", "pending"));
    startRelay();
    await allSettled();
    expect(await store.counters()).toMatchObject({ accepted: 2, delivered: 1, dead: 1, detached: 0 });
    expect((await store.failures()).dead).toMatchObject({
      message_id: "a1",
      reason: expect.stringMatching(/damaged/),
    });
    expect(posts("a1")).toBeLessThan(6);
  });

  it("in its state, out of its lane: the same", async () => {
    const { seq } = await store.messages.accept(messageOf("a1"));
    await store.messages.failed(seq, { error: "no", status: 422, nextAttemptAt: 0, waitMs: 0, detach: true });
    whileClosed(() => flipBit(file, "messages", "a1", "pending"));
    startRelay();
    await allSettled();
    expect(await store.counters()).toMatchObject({ accepted: 1, delivered: 1, detached: 0 });
    expect(posts("a1")).toBe(3);
  });

  it("when the index has lost that it is delivered: it is counted once, and its commands are not there twice", async () => {
    const { seq } = await store.messages.accept(messageOf("a1"));
    let lose = () => {};
    whileClosed(() => {
      lose = remember(file, "messages_lane");
    });
    await store.messages.delivered(seq, 200, "{}", [{ ...command("k"), commandId: null }]);
    await store.messages.accept(messageOf("b1", BEN));
    whileClosed(lose);
    const b2 = await store.messages.accept(messageOf("b2", BEN));
    startRelay();
    await inTime(
      "what comes next is delivered",
      async () => posts("b2") > 0 && (await store.messages.headOf(b2.chat)) === undefined,
    );
    await inTime("the other is left alone", () => alarms().length > 0);
    expect(posts("a1")).toBeLessThanOrEqual(3);
    expect(await store.counters()).toMatchObject({ accepted: 3, dead: 0, commands_pending: 1 });
    expect((await store.counters()).delivered).toBe(2);
  });

  it("in the type of its text: it is a dead letter, and its chat goes on", async () => {
    for (const id of ["a1", "a2"]) await store.messages.accept(messageOf(id));
    // The byte that says that what follows is so much text. One more is nothing, for the answer that is not there yet.
    whileClosed(() => flipBit(file, "payloads", "", '{"message_id":"a1"', { offset: -2, bit: 1 }));
    startRelay();
    await allSettled();
    expect(await store.counters()).toMatchObject({ delivered: 1, dead: 1 });
    expect(posts("a1")).toBe(0);
  });

  it("when a part of it is missing: it is a dead letter, and its chat goes on", async () => {
    for (const id of ["a1", "a2"]) await store.messages.accept(messageOf(id));
    whileClosed(() => {
      const db = new Database(file);
      db.exec("DELETE FROM payloads WHERE seq = 1");
      db.close();
    });
    startRelay();
    await allSettled();
    expect(await store.counters()).toMatchObject({ delivered: 1, dead: 1 });
    expect((await store.failures()).dead).toMatchObject({ message_id: "a1" });
  });
});

describe("of a command", () => {
  let peer: ScriptedGateway;

  beforeEach(async () => {
    peer = await new ScriptedGateway().start();
    peer.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
    onTestFinished(() => peer.stop());
  });

  async function startReplies() {
    const log = openTestLog();
    const gateway = openGateway({
      ...{ url: `ws://127.0.0.1:${peer.port}`, token: GATEWAY_TOKEN, log },
      timing: { pollMs: 5, reconnectMinMs: 5, reconnectMaxMs: 20 },
      clock: { now: clock.now, bootMs: clock.bootMs, uptimeMs: () => performance.now() },
    });
    const pace = { chatIntervalMs: 0, perMinute: 0 };
    const parts = { store, gateway, clock, timers: clock, log, pace, ...NOTHING_HELD, random: () => 0.5 };
    const replies = new Replies(parts);
    onTestFinished(async () => {
      await gateway.close();
      await replies.stop();
    });
    await replies.start();
    await until("WhatsApp is connected", () => gateway.canSend("default"));
  }

  async function answered(id: string, chat: string, ...commands: string[]) {
    const { seq } = await store.messages.accept(messageOf(id, chat));
    await store.messages.delivered(seq, 200, "{}", commands.map(command));
  }

  const sent = () => peer.sends.map(({ idempotencyKey }) => idempotencyKey);

  it("that waits: it is left out, counted with its reason, and its chat goes on", async () => {
    await answered("m1", ANNA, "a1", "a2");
    whileClosed(() => flipBit(file, "commands", beforeStateOf("a1"), "pending"));
    await startReplies();
    await inTime("the next one is sent", async () => (await store.counters()).commands_sent === 1);
    expect(sent()).toEqual(["a2"]);
    expect(await store.counters()).toMatchObject({ commands_pending: 0, commands_failed: 1 });
    expect((await store.failures()).command_failed).toMatchObject({
      message_id: "m1",
      reason: expect.stringMatching(/damaged/),
    });
    expect(alarms()).toHaveLength(1);
  });

  it("in the type of its text: the same", async () => {
    await answered("m1", ANNA, "a1", "a2");
    // Its id, kind and text stand first; before them, a byte for each column says what it is, and there are 15 from the text's on.
    whileClosed(() => flipBit(file, "commands", "", "a1send_texta1", { offset: -15, bit: 1 }));
    await startReplies();
    await inTime("the next one is sent", async () => (await store.counters()).commands_sent === 1);
    expect(sent()).toEqual(["a2"]);
    expect(await store.counters()).toMatchObject({ commands_pending: 0, commands_failed: 1 });
  });

  it("that was being sent when the last run ended: it is in doubt, and nobody is kept from starting", async () => {
    await answered("m1", ANNA, "a1", "a2");
    await store.commands.sending((await store.commands.nextOf(1))?.id ?? 0, null);
    whileClosed(() => flipBit(file, "commands", beforeStateOf("a1"), "sending"));
    await startReplies();
    await inTime("the next one is sent", async () => (await store.counters()).commands_sent === 1);
    expect(sent()).toEqual(["a2"]);
    expect(await store.counters()).toMatchObject({ commands_sending: 0, commands_in_doubt: 1 });
    expect(alarms()).toHaveLength(1);
  });

  it("that is in doubt: the proof counts, though it can't be written", async () => {
    await answered("m1", ANNA, "a1");
    const id = (await store.commands.nextOf(1))?.id ?? 0;
    await store.commands.sending(id, null);
    await store.commands.settled(id, "in_doubt", { reason: "the link broke", whatsappMessageId: null });
    peer.history = () => ["a1"];
    whileClosed(() => flipBit(file, "commands", beforeStateOf("a1"), "in_doubt"));
    await startReplies();
    await inTime("it is proven", async () => (await store.counters()).commands_sent === 1);
    expect(await store.counters()).toMatchObject({ commands_in_doubt: 0 });
    expect(sent()).toEqual([]);
  });

  it("is said of each write that does not find what it is to change, and of none that was made before", async () => {
    await answered("m1", ANNA, "a1", "a2");
    const { commands } = store;
    const [first, second] = [1, 2];
    const over = { reason: null, whatsappMessageId: null };
    for (const id of [first, second]) await commands.sending(id, null);
    await commands.settled(first, "sent", over);
    await commands.settled(first, "sent", over);
    await commands.notSent(second, { reason: "no" });
    await commands.notSent(second, { reason: "no" });
    await commands.sending(second, null);
    whileClosed(() => flipBit(file, "commands", beforeStateOf("a2"), "sending"));
    await expect(store.commands.settled(second, "sent", over)).rejects.toThrow(/contradicts/);
    await expect(store.commands.notSent(second, { reason: "no" })).rejects.toThrow(/contradicts/);
    await expect(store.commands.proven(second, "sent", null)).rejects.toThrow(/contradicts/);
    expect(await store.counters()).toMatchObject({ commands_sent: 1, commands_sending: 1 });
  });
});
