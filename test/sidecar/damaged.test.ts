import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listCommands } from "../../sidecar/src/cli/commands.ts";
import { connectOperator } from "../../sidecar/src/cli/connect.ts";
import type { ListOptions } from "../../sidecar/src/cli/list-options.ts";
import { listMessages } from "../../sidecar/src/cli/messages.ts";
import type { Output } from "../../sidecar/src/cli/output.ts";
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
import { damage } from "./damage.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { NOTHING_HELD } from "./nothing-held.ts";
import { clientOptions, RELAY_DEFAULTS } from "./real-relay.ts";

// A disk that gives back one page of the database as rubbish: what was on it is lost, and nothing else.

const CARA = "+15550001003";
/** So long that its row needs pages of its own. */
const long = (word: string) => `${word} `.repeat(12_000 / (word.length + 1));

let dir: string;
let clock: SimulatedClock;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-damaged-"));
  clock = new SimulatedClock();
  store = openStore(dir, clock);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

const message = (id: string, chat: string, text: string) => messageOf(id, chat, { text });

/** Closes the store, damages a page, and opens it again. */
function damaged(...[table, options]: [table: string, options: Parameters<typeof damage>[2]]) {
  store.close();
  damage(join(dir, "bridge.sqlite"), table, options);
  store = openStore(dir, clock);
}

/**
 * The first of the pages that the text of one row needs, of `rows` in all that are as long, in the order of their
 * keys.
 */
const textOf = (row: number, rows: number) => ({
  kind: "overflow" as const,
  pick: (pages: number[]) => pages.slice((row * pages.length) / rows, (row * pages.length) / rows + 1),
});

interface Line {
  alarm?: boolean;
  msg?: string;
  seq?: number;
}

function openTestLog() {
  const lines: Line[] = [];
  return { lines, log: openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) }) };
}
const alarmsOf = (lines: Line[]) => lines.filter(({ alarm }) => alarm === true);

/** Moves the clock until it is so: what can't be read is tried again some seconds later. */
const inTime = (what: string, condition: () => boolean | Promise<boolean>) =>
  until(what, async () => {
    if (await condition()) return true;
    clock.advance(1_000);
    return false;
  });

describe("on the way to Hot Bags", () => {
  let hotbags: HotBags;
  let client: HotBagsClient;
  let relay: Relay;
  let lines: Line[];

  beforeEach(async () => {
    hotbags = await startHotBags({ token: BEARER_TOKEN });
  });
  afterEach(async () => {
    await relay?.stop();
    await client?.close();
    await hotbags.close();
  });

  function startRelay() {
    const { log, lines: written } = openTestLog();
    lines = written;
    client = new HotBagsClient(clientOptions(hotbags.url));
    const parts = { store, hotbags: client, clock, timers: clock, log, random: () => 0.5 };
    relay = new Relay({ ...parts, onCommands: () => {}, onDoubt: () => {}, alarm: () => {} }, RELAY_DEFAULTS);
    void relay.takeUp();
  }

  const delivered = () => hotbags.accepted.map(({ message_id }) => message_id);

  it("a message whose text can't be read becomes a dead letter, and its chat goes on", async () => {
    for (const id of ["a1", "a2", "a3"]) await store.messages.accept(message(id, ANNA, long(id)));
    await store.messages.accept(message("b1", BEN, "hello"));
    damaged("payloads", textOf(1, 3));
    startRelay();
    await inTime("all are settled", async () => (await store.counters()).pending === 0);
    expect(await store.counters()).toMatchObject({ accepted: 4, delivered: 3, dead: 1 });
    expect(delivered().filter((id) => id.startsWith("a"))).toEqual(["a1", "a3"]);
    expect(alarmsOf(lines)).toHaveLength(1);
    expect(alarmsOf(lines)[0]?.msg).toContain("can't be read");
  });

  it("a message that can't be read does not keep the breaker waiting for an answer", async () => {
    for (const id of ["a1", "a2"]) await store.messages.accept(message(id, ANNA, long(id)));
    await store.messages.accept(message("b1", BEN, "hello"));
    await store.messages.accept(message("c1", CARA, "hello"));
    damaged("payloads", textOf(0, 2));
    hotbags.next({ status: 429, retryAfter: 1 }, { status: 429, retryAfter: 1 });
    startRelay();
    await until("the breaker is open", () => relay.status.breakerOpen);
    await inTime("all are settled", async () => (await store.counters()).pending === 0);
    expect(delivered().toSorted()).toEqual(["a2", "b1", "c1"]);
  });

  it("a page of the last failures keeps nothing that fails from being settled", async () => {
    for (const id of ["a1", "a2"]) await store.messages.accept(message(id, ANNA, long(id)));
    damaged("failures", {});
    damaged("payloads", textOf(0, 2));
    hotbags.answers(() => [{ command_id: "", type: "send_text", text: "it has no id" }]);
    startRelay();
    await inTime("all are settled", async () => (await store.counters()).pending === 0);
    expect(await store.counters()).toMatchObject({ delivered: 1, dead: 1, commands_failed: 1 });
    expect(store.damage).not.toBeNull();
  });

  it("a detached message that can't be read becomes a dead letter, and the others go on", async () => {
    const first = await store.messages.accept(message("a1", ANNA, long("a1")));
    await store.messages.failed(first.seq, { error: "no", status: 422, nextAttemptAt: 0, waitMs: 0, detach: true });
    const second = await store.messages.accept(message("a2", ANNA, long("a2")));
    await store.messages.failed(second.seq, { error: "no", status: 422, nextAttemptAt: 1, waitMs: 0, detach: true });
    damaged("payloads", textOf(0, 2));
    startRelay();
    await inTime("both are settled", async () => (await store.counters()).pending === 0);
    expect(await store.counters()).toMatchObject({ delivered: 1, dead: 1 });
  });

  it("a page of the bookkeeping costs the messages that are on it, and says so once for each", async () => {
    const chats = Array.from({ length: 20 }, (_, n) => `+155500020${String(n).padStart(2, "0")}`);
    const ids = Array.from({ length: 10 * chats.length }, (_, n) => `${chats[n % chats.length]}_${n}`);
    await Promise.all(ids.map((id) => store.messages.accept(message(id, id.split("_")[0] ?? "", "hello"))));
    damaged("messages", { pick: (pages) => pages.slice(0, 1) });
    hotbags.answers(({ message_id }) => [{ command_id: `reply to ${message_id}`, type: "send_text", text: "yes" }]);
    startRelay();
    await inTime("all are settled", async () => (await store.counters()).pending === 0);
    const { accepted, delivered: done, dead } = await store.counters();
    expect(accepted).toBe(ids.length);
    expect(done + dead).toBe(accepted);
    // Those beside that page, whose state can't be written, were delivered all the same, in order, and are answered.
    const readable = ids.slice(dead);
    expect(done).toBe(readable.length);
    expect((await store.counters()).commands_pending).toBe(done);
    for (const chat of chats) {
      const of = (all: string[]) => all.filter((id) => id.startsWith(chat));
      expect(of(delivered())).toEqual(of(readable));
    }
    const alarms = alarmsOf(lines);
    expect(alarms.filter(({ msg }) => msg?.includes("dead letter"))).toHaveLength(dead);

    // The next start knows them already, and what comes then is delivered too.
    await relay.stop();
    await client.close();
    store.close();
    store = openStore(dir, clock);
    startRelay();
    relay.accepted(await store.messages.accept(message("new", ANNA, "hello")));
    await inTime("the new one is settled", async () => (await store.counters()).pending === 0);
    expect(delivered().filter((id) => id === "new")).toHaveLength(1);
    expect(alarmsOf(lines)).toEqual([]);
    expect(await store.counters()).toMatchObject({ accepted: accepted + 1, delivered: done + 1, dead });
  });
});

describe("on the way to WhatsApp", () => {
  let peer: ScriptedGateway;
  let lines: Line[];
  let stop: () => Promise<void>;

  beforeEach(async () => {
    peer = await new ScriptedGateway().start();
  });
  afterEach(async () => {
    await stop?.();
    await peer.stop();
  });

  async function startReplies() {
    const { log, lines: written } = openTestLog();
    lines = written;
    const gateway = openGateway({
      url: `ws://127.0.0.1:${peer.port}`,
      token: GATEWAY_TOKEN,
      log,
      timing: { pollMs: 5, reconnectMinMs: 5, reconnectMaxMs: 20 },
      clock: { now: clock.now, bootMs: clock.bootMs, uptimeMs: () => performance.now() },
    });
    const pace = { chatIntervalMs: 0, perMinute: 0 };
    const replies = new Replies({
      store,
      gateway,
      clock,
      timers: clock,
      log,
      pace,
      ...NOTHING_HELD,
      random: () => 0.5,
    });
    stop = async () => {
      await gateway.close();
      await replies.stop();
    };
    await replies.start();
    await until("WhatsApp is connected", () => gateway.canSend("default"));
  }

  async function answered(id: string, chat: string, ...words: string[]) {
    const { seq } = await store.messages.accept(message(id, chat, "hello"));
    const commands = words.map((word) => ({
      commandId: word,
      type: "send_text",
      text: long(word),
      payload: word,
      refusal: null,
    }));
    await store.messages.delivered(seq, 200, "{}", commands);
  }

  const sent = () => peer.sends.map(({ idempotencyKey }) => idempotencyKey);

  it("a reply that can't be read is left out with an alarm, and its chat goes on", async () => {
    await answered("m1", ANNA, "a1", "a2", "a3");
    await answered("m2", BEN, "b1");
    damaged("commands", textOf(1, 4));
    await startReplies();
    await inTime("all others are sent", () => sent().length === 3);
    expect(sent().filter((id) => id.startsWith("a"))).toEqual(["a1", "a3"]);
    expect(alarmsOf(lines)).toHaveLength(1);
    expect(alarmsOf(lines)[0]?.msg).toContain("can't be read");
  });

  it("one that was being sent when the last run ended, or that is in doubt, keeps nobody from starting", async () => {
    await answered("m1", ANNA, "a1", "a2");
    await answered("m2", BEN, "b1", "b2");
    for (const [chat, state] of [
      [1, "sending"],
      [2, "in_doubt"],
    ] as const) {
      const id = (await store.commands.nextOf(chat))?.id ?? 0;
      await store.commands.sending(id, null);
      if (state === "in_doubt")
        await store.commands.settled(id, state, { reason: "the link broke", whatsappMessageId: null });
    }
    damaged("commands", textOf(0, 4));
    damaged("commands", textOf(2, 4));
    await startReplies();
    await inTime("what follows is sent", () => sent().length === 2);
    expect(sent().toSorted()).toEqual(["a2", "b2"]);
    expect(alarmsOf(lines)).toHaveLength(2);
  });
});

describe("what an operator sees", () => {
  /** What a list shows and says, as the command does it without a sidecar. */
  async function listed(list: typeof listMessages | typeof listCommands, options: Partial<ListOptions>) {
    const [out, err] = [new PassThrough(), new PassThrough()];
    store.close();
    const operator = await connectOperator(dir, () => null);
    const code = await list(operator, { limit: 500, ...options }, { json: false, out, err } as unknown as Output);
    operator.close();
    store = openStore(dir, clock);
    return { code, shown: String(out.read() ?? ""), said: String(err.read() ?? "") };
  }
  const MANY = 200;

  it("a list of messages has all that can be read, names what can't, and says what to do", async () => {
    for (let n = 1; n <= MANY; n++) {
      const { seq } = await store.messages.accept(message(`m${n}`, ANNA, "x"));
      await store.messages.dead(seq, 422, "Hot Bags answered 422");
    }
    // The newest are on the last one.
    damaged("messages", { pick: (pages) => [pages.at(-1) ?? 0, pages.at(1) ?? 0] });
    for (const options of [{}, { state: "dead" }]) {
      const { code, shown, said } = await listed(listMessages, options);
      const rows = shown.trimEnd().split("\n").slice(1);
      const lost = Number(/^(\d+) messages can't be read/m.exec(said)?.[1]);
      expect({ code, all: rows.length + lost }).toEqual({ code: 1, all: MANY });
      expect(rows.length).toBeGreaterThan(MANY / 2);
      expect(said).toMatch(/\(message 200, 199, .*, …\): hotbags doctor says more\. .*restore a backup/);
    }
    // Whose chat it is stands in an index: none of them is Ben's.
    expect(await listed(listMessages, { limit: 1, chat: ANNA })).toMatchObject({ code: 1 });
    expect(await listed(listMessages, { limit: 1, chat: BEN })).toMatchObject({ code: 0, shown: "" });
  });

  it("a row that can be read and can't be true costs no other", async () => {
    for (const id of ["A", "B", "C"]) await store.messages.accept(message(id, ANNA, "x"));
    const raw = new Database(join(dir, "bridge.sqlite"));
    raw.pragma("ignore_check_constraints = 1");
    raw.exec("UPDATE messages SET state = 'pendinf' WHERE message_id = 'B'");
    raw.close();
    const { code, shown, said } = await listed(listMessages, {});
    expect({ code, rows: shown.trimEnd().split("\n").length - 1 }).toEqual({ code: 1, rows: 2 });
    expect(said).toMatch(/^1 message can't be read .*\(message 2\)/m);
  });

  it("a list of commands too", async () => {
    for (let n = 1; n <= MANY; n++) {
      const { seq } = await store.messages.accept(message(`m${n}`, ANNA, "x"));
      const reply = { commandId: `c${n}`, type: "send_text", text: "x".repeat(50), payload: "x", refusal: null };
      await store.messages.delivered(seq, 200, "{}", [reply]);
    }
    damaged("commands", { pick: (pages) => pages.slice(1, 2) });
    for (const options of [{}, { state: "pending" }]) {
      const { code, shown, said } = await listed(listCommands, options);
      const lost = Number(/^(\d+) commands can't be read/m.exec(said)?.[1]);
      expect({ code, all: shown.trimEnd().split("\n").length - 1 + lost }).toEqual({ code: 1, all: MANY });
    }
  });

  it("a list whose index is damaged as well can't be had, and the cause and the cure are named", async () => {
    await store.messages.accept(message("m1", ANNA, "x"));
    damaged("messages", {});
    damaged("messages_key", {});
    await expect(listed(listMessages, {})).rejects.toThrow(
      /^a page of the database that this needs can't be read \(SQLITE_CORRUPT\): hotbags doctor .*restore a backup/,
    );
  });
});
