import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { damage } from "../../../../test/sidecar/damage.ts";
import { openStore, type Store } from "../index.ts";

const DAY_MS = 24 * 3_600_000;
const KEEP = { textsDays: 30, keysDays: 90, deadLettersDays: 90 };

let dir: string;
let store: Store;
let tables: Database.Database;
let nowMs = Date.parse("2026-03-01T12:00:00Z");
/** How wrong the wall clock is. */
let astrayMs = 0;
const clock = { now: () => nowMs + astrayMs, uptimeMs: () => nowMs, bootMs: () => nowMs };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-retention-"));
  store = openStore(dir, clock);
  tables = new Database(join(dir, "bridge.sqlite"), { readonly: true });
});
afterEach(() => {
  tables.close();
  store.close();
  rmSync(dir, { recursive: true });
  astrayMs = 0;
});

/** Another process of the sidecar, after so long. */
function restart(awayMs = 0) {
  store.close();
  nowMs += awayMs;
  store = openStore(dir, clock);
}

async function accept(id: string, files: string[] = []) {
  const media: Awaited<ReturnType<typeof put>>[] = [];
  for (const text of files) media.push(await put(text));
  return store.messages.accept({
    account_id: "default",
    message_id: id,
    chat_id: "+15550001000",
    from: "+15550001000",
    text: `text of ${id}`,
    media,
    timestamp: "2026-03-01T12:00:00.000Z",
    raw: {},
  });
}

/** Stores a file with these bytes, and returns the item that names it. */
async function put(text: string) {
  const bytes = Buffer.from(text);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const body = (async function* () {
    yield bytes;
  })();
  await store.files.receive(sha256, { offset: 0, length: bytes.length, body });
  return { type: "image" as const, mime_type: null, file_name: null, size_bytes: bytes.length, sha256 };
}

async function deliver(id: string, commandState: "pending" | "sent" | "in_doubt", files: string[] = []) {
  const { seq, chat } = await accept(id, files);
  const more = { details: `details of ${id}`, file: Buffer.from(`file of ${id}`) };
  const command = {
    commandId: `c-${id}`,
    type: "send_text",
    text: `reply to ${id}`,
    payload: id,
    refusal: null,
    ...more,
  };
  await store.messages.delivered(seq, 200, "{}", [command]);
  if (commandState === "pending") return;
  const { id: row } = (await store.commands.nextOf(chat)) ?? { id: 0 };
  await store.commands.sending(row, "boot");
  await store.commands.settled(row, commandState, { reason: null, said: `of ${id}`, whatsappMessageId: null });
}

const texts = () =>
  tables.prepare("SELECT message_id FROM messages JOIN payloads USING (seq) ORDER BY seq").pluck().all();
const files = () => readdirSync(join(dir, "media")).length;
const keys = () => tables.prepare("SELECT message_id FROM messages ORDER BY seq").pluck().all();
const replies = () =>
  tables.prepare("SELECT coalesce(text, details, file, said) FROM commands ORDER BY id").pluck().all();

it("forgets texts after their time and keys after 90 days, and no key before", async () => {
  await deliver("A", "sent");
  nowMs += 29 * DAY_MS;
  expect(await store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 0 });
  nowMs += 2 * DAY_MS;
  expect(await store.retention.sweep(KEEP)).toEqual({ texts: 1, keys: 0, files: 0, deadLetters: 0 });
  expect([texts(), keys(), replies()]).toEqual([[], ["A"], [null]]);
  nowMs += 58 * DAY_MS;
  expect((await accept("A")).duplicate).toBe(true);
  expect(await store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 0 });
  nowMs += 2 * DAY_MS;
  expect(await store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 1, files: 0, deadLetters: 0 });
  expect(keys()).toEqual([]);
});

it("forgets each kind in its own time, and a key never before its text", async () => {
  const keep = { textsDays: 100, keysDays: 8, deadLettersDays: 5 };
  await deliver("A", "sent");
  const dead = await accept("dead");
  await store.messages.dead(dead.seq, 400, "refused");
  nowMs += 6 * DAY_MS;
  expect(await store.retention.sweep(keep)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 1 });
  expect([texts(), keys()]).toEqual([["A"], ["A", "dead"]]);
  nowMs += 90 * DAY_MS;
  expect(await store.retention.sweep(keep)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 0 });
  nowMs += 5 * DAY_MS;
  expect(await store.retention.sweep(keep)).toEqual({ texts: 1, keys: 1, files: 0, deadLetters: 0 });
  nowMs += 6 * DAY_MS;
  expect(await store.retention.sweep(keep)).toEqual({ texts: 0, keys: 1, files: 0, deadLetters: 0 });
});

it("discards a dead letter that is old, with its files, and still knows its key", async () => {
  const dead = await accept("dead", ["one"]);
  await store.messages.dead(dead.seq, 400, "refused");
  nowMs += 89 * DAY_MS;
  expect(await store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 0 });
  nowMs += 1.5 * DAY_MS;
  expect(await store.retention.sweep(KEEP)).toEqual({
    ...{ texts: 0, keys: 0, files: 1, deadLetters: 1 },
  });
  expect([texts(), files()]).toEqual([[], 0]);
  expect(await store.counters()).toMatchObject({ accepted: 1, dead: 0, discarded: 1 });
  expect((await accept("dead")).duplicate).toBe(true);
  const { rows } = await store.operator.messages({ states: ["discarded"] }, null, 10);
  expect(rows).toMatchObject([{ message_id: "dead", state: "discarded", last_error: "refused" }]);
});

it("makes a dead letter that was sent again and failed again as old as its last failure", async () => {
  const { seq } = await accept("dead");
  await store.messages.dead(seq, 400, "refused");
  nowMs += 80 * DAY_MS;
  await store.operator.retry(seq, "anna");
  await store.messages.dead(seq, 400, "refused");
  nowMs += 20 * DAY_MS;
  expect(await store.retention.sweep(KEEP)).toMatchObject({ deadLetters: 0 });
});

it("keeps what waits and what is in doubt, however old", async () => {
  await deliver("in-doubt", "in_doubt");
  await deliver("reply-waits", "pending");
  await accept("waits");
  nowMs += 1_000 * DAY_MS;
  expect(await store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 0 });
  expect(texts()).toEqual(["in-doubt", "reply-waits", "waits"]);
});

describe("a clock that was wrong", () => {
  const NOTHING = { texts: 0, keys: 0, files: 0, deadLetters: 0 };
  /** As of 1970, and as of 2036. */
  const PAST_MS = -56 * 365 * DAY_MS;
  const FUTURE_MS = 10 * 365 * DAY_MS;
  const sweep = () => store.retention.sweep(KEEP);

  it.each([
    ["1970 and is set right", PAST_MS, 0],
    ["right and goes to 2036", 0, FUTURE_MS],
    ["right and goes back to 1970", 0, PAST_MS],
    ["2036 and is set right", FUTURE_MS, 0],
  ])("makes nothing old that is not, nor keeps it young: it was %s", async (_what, before, after) => {
    astrayMs = before;
    restart();
    await deliver("A", "sent", ["one"]);
    await put("nobody's");
    nowMs += 3_600_000;
    astrayMs = after;
    expect(await sweep()).toEqual(NOTHING);
    expect((await accept("A", ["one"])).duplicate).toBe(true);
    expect((await store.look()).longestWaitMs.messages).toBe(0);
    nowMs += 1.5 * DAY_MS;
    expect(await sweep()).toEqual({ ...NOTHING, files: 1 });
    nowMs += 29 * DAY_MS;
    expect(await sweep()).toEqual({ texts: 1, keys: 0, files: 1, deadLetters: 0 });
    nowMs += 61 * DAY_MS;
    expect(await sweep()).toEqual({ ...NOTHING, keys: 1 });
  });

  it.each([
    ["1970 and is set right", PAST_MS, 0],
    ["right and goes to 2036", 0, FUTURE_MS],
    ["2036 and is set right", FUTURE_MS, 0],
  ])("while the sidecar was away makes nothing older by more than a day: it was %s", async (_what, before, after) => {
    rmSync(dir, { recursive: true });
    astrayMs = before;
    restart();
    tables.close();
    tables = new Database(join(dir, "bridge.sqlite"), { readonly: true });
    await deliver("A", "sent");
    astrayMs = after;
    restart();
    expect(await sweep()).toEqual(NOTHING);
    nowMs += 28 * DAY_MS;
    expect(await sweep()).toEqual(NOTHING);
    nowMs += 3 * DAY_MS;
    expect(await sweep()).toEqual({ ...NOTHING, texts: 1 });
    nowMs += 57 * DAY_MS;
    expect(await sweep()).toEqual(NOTHING);
    expect((await accept("A")).duplicate).toBe(true);
    nowMs += 3 * DAY_MS;
    expect(await sweep()).toEqual({ ...NOTHING, keys: 1 });
  });

  it("jumps to and fro over many restarts, and costs a day", async () => {
    await deliver("A", "sent");
    for (let n = 0; n < 200; n += 1) {
      astrayMs = n % 2 === 0 ? FUTURE_MS : PAST_MS;
      restart();
      expect(await sweep()).toEqual(NOTHING);
    }
    expect((await accept("A")).duplicate).toBe(true);
  });

  it("is told apart from nights in which the machine was off, which count", async () => {
    await deliver("A", "sent");
    for (let day = 0; day < 29; day += 1) {
      restart(DAY_MS / 2);
      nowMs += DAY_MS / 2;
      expect(await sweep()).toEqual(NOTHING);
      expect(Math.abs(store.clockJumpMs)).toBeLessThan(1_000);
    }
    restart(DAY_MS);
    expect(await sweep()).toEqual(NOTHING);
    restart(DAY_MS / 2);
    expect(await sweep()).toEqual({ ...NOTHING, texts: 1 });
  });

  it("does not hide how long a message and a reply have waited, over a restart neither", async () => {
    await deliver("A", "pending");
    await accept("B");
    nowMs += 600_000;
    astrayMs = PAST_MS;
    expect((await store.look()).longestWaitMs).toMatchObject({ messages: 600_000, replies: 600_000 });
    restart();
    nowMs += 600_000;
    astrayMs = FUTURE_MS;
    expect((await store.look()).longestWaitMs).toMatchObject({ messages: 1_200_000, replies: 1_200_000 });
  });

  it("is counted from what was settled last where there is no mark yet, after a power cut", async () => {
    await deliver("A", "sent");
    store.close();
    const other = new Database(join(dir, "bridge.sqlite"));
    other.exec("DELETE FROM proven_time");
    other.close();
    astrayMs = FUTURE_MS;
    store = openStore(dir, clock);
    expect(await sweep()).toEqual(NOTHING);
    expect((await accept("A")).duplicate).toBe(true);
  });

  it("is counted from what was settled last where the mark can't be read", async () => {
    await deliver("A", "sent");
    tables.close();
    store.close();
    damage(join(dir, "bridge.sqlite"), "proven_time");
    astrayMs = FUTURE_MS;
    store = openStore(dir, clock);
    tables = new Database(join(dir, "bridge.sqlite"), { readonly: true });
    await expect(sweep()).rejects.toThrow(/malformed/);
    expect((await accept("A")).duplicate).toBe(true);
    expect(texts()).toEqual(["A"]);
    nowMs += 31 * DAY_MS;
    await expect(sweep()).rejects.toThrow(/malformed/);
    expect(texts()).toEqual([]);
  });
});

describe("files", () => {
  it("go with the text of the last message that has them, and not before", async () => {
    await deliver("A", "sent", ["alone", "shared", "shared"]);
    nowMs += 20 * DAY_MS;
    await deliver("B", "sent", ["shared"]);
    expect(files()).toBe(2);
    nowMs += 15 * DAY_MS;
    expect(await store.retention.sweep(KEEP)).toEqual({ texts: 1, keys: 0, files: 1, deadLetters: 0 });
    expect([files(), texts()]).toEqual([1, ["B"]]);
    nowMs += 20 * DAY_MS;
    expect(await store.retention.sweep(KEEP)).toEqual({ texts: 1, keys: 0, files: 1, deadLetters: 0 });
    expect([files(), keys()]).toEqual([0, ["A", "B"]]);
  });

  it("stay with what waits and what is in doubt, however old", async () => {
    await deliver("in-doubt", "in_doubt", ["one"]);
    await accept("waits", ["two"]);
    nowMs += 1_000 * DAY_MS;
    expect(await store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 0 });
    expect(files()).toBe(2);
  });

  it("that no message has are gone after a day", async () => {
    await put("nobody's");
    expect(await store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 0 });
    nowMs += 1.1 * DAY_MS;
    expect(await store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 0, files: 1, deadLetters: 0 });
  });

  it("stay when their message is accepted while a sweep runs", async () => {
    const item = await put("in the nick of time");
    nowMs += 2 * DAY_MS;
    const sweep = store.retention.sweep(KEEP);
    const media = [item];
    const message = {
      ...{
        account_id: "default",
        message_id: "A",
        chat_id: "+15550001000",
        from: "+15550001000",
        text: "",
        media,
        raw: {},
      },
      timestamp: "2026-03-01T12:00:00.000Z",
    };
    const accepted = store.messages.accept(message);
    expect(await sweep).toMatchObject({ files: 0 });
    expect((await accepted).duplicate).toBe(false);
    nowMs += 2 * DAY_MS;
    expect(await store.retention.sweep(KEEP)).toMatchObject({ files: 0 });
  });
});

it("forgets thousands in chunks, while others are taken in between", async () => {
  const accepted = await Promise.all(Array.from({ length: 1_200 }, (_, n) => accept(`M${n}`)));
  await Promise.all(accepted.map(({ seq }) => store.messages.delivered(seq, 200, "{}", [])));
  nowMs += 40 * DAY_MS;
  const sweep = store.retention.sweep(KEEP);
  const meanwhile = await accept("meanwhile");
  expect(meanwhile.duplicate).toBe(false);
  // The sweep is not done when a message that came after its start is on disk: it lets others in between its chunks.
  expect(texts().length).toBeGreaterThan(1);
  expect(await sweep).toEqual({ texts: 1_200, keys: 0, files: 0, deadLetters: 0 });
  expect(texts()).toEqual(["meanwhile"]);
  expect(await store.counters()).toMatchObject({ accepted: 1_201, delivered: 1_200, pending: 1 });
});

describe("with a page that can't be read", () => {
  /** Closes the store, makes these pages unreadable, and opens it again. */
  function spoil(...what: Parameters<typeof damage> extends [string, ...infer Rest] ? Rest : never) {
    tables.close();
    store.close();
    damage(join(dir, "bridge.sqlite"), ...what);
    store = openStore(dir, clock);
    tables = new Database(join(dir, "bridge.sqlite"), { readonly: true });
  }

  /** So many delivered messages, and one that waits; all are old when this resolves. */
  async function remember(count: number) {
    const skipped = { commandId: null, type: "dance", text: null, refusal: { state: "skipped", reason: "" } } as const;
    const take = async (id: string) => {
      const { seq } = await accept(id);
      await store.messages.delivered(seq, 200, "{}", [{ ...skipped, payload: id }]);
    };
    await Promise.all(Array.from({ length: count }, (_, n) => take(`M${n}`)));
    await accept("waits");
    nowMs += 31 * DAY_MS;
  }
  const withText = () => Number(tables.prepare("SELECT count(*) FROM messages WHERE has_text = 1").pluck().get());

  it.each([
    ["of texts", "payloads"],
    ["of messages", "messages"],
    ["of commands", "commands"],
  ])("%s, all others are forgotten, and it says so", async (_what, table) => {
    await remember(200);
    spoil(table, { pick: (pages) => pages.slice(1, 2) });
    await expect(store.retention.sweep(KEEP)).rejects.toThrow(/\d+ message\(s\) can't be forgotten/);
    const kept = table === "messages" ? 1 : withText();
    expect(kept).toBeGreaterThan(table === "messages" ? 0 : 1);
    expect(kept).toBeLessThan(100);
    expect(store.outage).toBeNull();
    await accept("new");
    nowMs += 60 * DAY_MS;
    await expect(store.retention.sweep(KEEP)).rejects.toThrow(/can't be forgotten/);
    expect((await store.counters()).accepted).toBe(202);
  });

  it("of the index, keys and files are forgotten all the same", async () => {
    await put("nobody's");
    await remember(5);
    spoil("messages_delivered");
    await expect(store.retention.sweep(KEEP)).rejects.toThrow(/malformed/);
    expect(files()).toBe(0);
  });

  it("of the files' messages, no file is thrown away that may be needed", async () => {
    await accept("waits", ["needed"]);
    await put("nobody's");
    nowMs += 31 * DAY_MS;
    spoil("media_file");
    await expect(store.retention.sweep(KEEP)).rejects.toThrow(/malformed/);
    expect(files()).toBe(2);
  });
});

describe("the work of a sweep", () => {
  /** How many rows the store's statements look at: each gets a condition that SQLite has to try for every row it comes to. */
  let rows: number;
  beforeEach(() => {
    store.close();
    const { prepare } = Database.prototype;
    const counting = new Set<Database.Database>();
    const spy = vi.spyOn(Database.prototype, "prepare").mockImplementation(function (this: Database.Database, sql) {
      const look = () => {
        rows += 1;
        return 1;
      };
      if (!counting.has(this)) this.function("looked_at", { deterministic: false }, look);
      counting.add(this);
      return prepare.call(this, sql.replaceAll("WHERE", "WHERE looked_at() AND")) as never;
    });
    store = openStore(dir, clock);
    spy.mockRestore();
  });

  async function settle(prefix: string, count: number, state: "delivered" | "dead" | "reply waits") {
    const ids = Array.from({ length: count }, (_, n) => `${prefix}${n}`);
    const accepted = await Promise.all(ids.map((id) => accept(id)));
    const reply = (id: string) => ({ commandId: id, type: "send_text", text: "", payload: id, refusal: null });
    await Promise.all(
      accepted.map(({ seq }, n) =>
        state === "dead"
          ? store.messages.dead(seq, 400, "refused")
          : store.messages.delivered(seq, 200, "{}", state === "delivered" ? [] : [reply(`${prefix}${n}`)]),
      ),
    );
  }

  async function sweep() {
    rows = 0;
    const gone = await store.retention.sweep(KEEP);
    return { ...gone, rows };
  }

  it("grows with what is forgotten, and no faster", async () => {
    const work: Record<string, number[]> = { texts: [], keys: [] };
    for (const count of [2_000, 8_000]) {
      await settle(`of ${count}: `, count, "delivered");
      nowMs += 31 * DAY_MS;
      const texts = await sweep();
      expect(texts.texts).toBe(count);
      nowMs += 60 * DAY_MS;
      const keys = await sweep();
      expect(keys.keys).toBe(count);
      work["texts"]?.push(texts.rows);
      work["keys"]?.push(keys.rows);
    }
    for (const [small = 0, large = 0] of Object.values(work)) {
      expect(small).toBeGreaterThan(2_000);
      expect(large).toBeLessThan(4.5 * small);
    }
  });

  it("is next to nothing when nothing is old, however much is remembered", async () => {
    await settle("old", 3_000, "delivered");
    await settle("dead", 1_000, "dead");
    nowMs += 31 * DAY_MS;
    await sweep();
    await settle("new", 3_000, "delivered");
    nowMs += DAY_MS;
    expect(await sweep()).toMatchObject({ texts: 0, keys: 0 });
    expect(rows).toBeLessThan(100);
  });

  it("passes what has to stay once, however much there is of it", async () => {
    await settle("waits", 3_000, "reply waits");
    await settle("dead", 3_000, "dead");
    await settle("done", 3_000, "delivered");
    nowMs += 100 * DAY_MS;
    expect(await sweep()).toMatchObject({ texts: 3_000, keys: 3_000, deadLetters: 3_000 });
    expect(rows).toBeLessThan(40_000);
    expect(keys()).toHaveLength(6_000);
  });
});
