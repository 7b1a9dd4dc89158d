import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openStore, type Store } from "./index.ts";

const DAY_MS = 24 * 3_600_000;
const KEEP_TEXTS_DAYS = 30;

let dir: string;
let store: Store;
let tables: Database.Database;
let nowMs = Date.parse("2026-03-01T12:00:00Z");

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-retention-"));
  store = openStore(dir, { now: () => nowMs, uptimeMs: () => 0 });
  tables = new Database(join(dir, "bridge.sqlite"), { readonly: true });
});
afterEach(() => {
  tables.close();
  store.close();
  rmSync(dir, { recursive: true });
});

async function accept(id: string) {
  return store.messages.accept({
    account_id: "default",
    message_id: id,
    chat_id: "+15550001000",
    from: "+15550001000",
    text: `text of ${id}`,
    media: [],
    timestamp: "2026-03-01T12:00:00.000Z",
    raw: {},
  });
}

async function deliver(id: string, commandState: "pending" | "sent" | "in_doubt") {
  const { seq, chat } = await accept(id);
  const command = { commandId: `c-${id}`, type: "send_text", text: `reply to ${id}`, payload: id, refusal: null };
  await store.messages.delivered(seq, 200, "{}", [command]);
  if (commandState === "pending") return;
  const { id: row } = store.commands.nextOf(chat) ?? { id: 0 };
  await store.commands.sending(row, "boot");
  await store.commands.settled(row, commandState, { reason: null, whatsappMessageId: null });
}

const texts = () =>
  tables.prepare("SELECT message_id FROM messages JOIN payloads USING (seq) ORDER BY seq").pluck().all();
const keys = () => tables.prepare("SELECT message_id FROM messages ORDER BY seq").pluck().all();
const replies = () => tables.prepare("SELECT text FROM commands ORDER BY id").pluck().all();

it("forgets texts after their time and keys after 90 days, and no key before", async () => {
  await deliver("A", "sent");
  nowMs += 29 * DAY_MS;
  expect(await store.retention.sweep(KEEP_TEXTS_DAYS)).toEqual({ texts: 0, keys: 0 });
  nowMs += 2 * DAY_MS;
  expect(await store.retention.sweep(KEEP_TEXTS_DAYS)).toEqual({ texts: 1, keys: 0 });
  expect([texts(), keys(), replies()]).toEqual([[], ["A"], [null]]);
  nowMs += 58 * DAY_MS;
  expect((await accept("A")).duplicate).toBe(true);
  expect(await store.retention.sweep(KEEP_TEXTS_DAYS)).toEqual({ texts: 0, keys: 0 });
  nowMs += 2 * DAY_MS;
  expect(await store.retention.sweep(KEEP_TEXTS_DAYS)).toEqual({ texts: 0, keys: 1 });
  expect(keys()).toEqual([]);
});

it("keeps what waits, what is in doubt and what is dead, however old", async () => {
  await deliver("in-doubt", "in_doubt");
  const dead = await accept("dead");
  await store.messages.dead(dead.seq, 400, "refused");
  await deliver("reply-waits", "pending");
  await accept("waits");
  nowMs += 1_000 * DAY_MS;
  expect(await store.retention.sweep(KEEP_TEXTS_DAYS)).toEqual({ texts: 0, keys: 0 });
  expect(texts()).toEqual(["in-doubt", "dead", "reply-waits", "waits"]);
});

it("forgets thousands in chunks, while others are taken in between", async () => {
  const accepted = await Promise.all(Array.from({ length: 1_200 }, (_, n) => accept(`M${n}`)));
  await Promise.all(accepted.map(({ seq }) => store.messages.delivered(seq, 200, "{}", [])));
  nowMs += 40 * DAY_MS;
  const sweep = store.retention.sweep(KEEP_TEXTS_DAYS);
  const meanwhile = await accept("meanwhile");
  expect(meanwhile.duplicate).toBe(false);
  // The sweep is not done when a message that came after its start is on disk: it lets others in between its chunks.
  expect(texts().length).toBeGreaterThan(1);
  expect(await sweep).toEqual({ texts: 1_200, keys: 0 });
  expect(texts()).toEqual(["meanwhile"]);
  expect(store.counters.read()).toMatchObject({ accepted: 1_201, delivered: 1_200, pending: 1 });
});
