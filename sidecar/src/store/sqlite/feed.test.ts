import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ANNA, BEN, messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { type Change, openStore, type Store } from "../index.ts";

let dir: string;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-feed-"));
  store = openStore(dir, new SimulatedClock());
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

/** What is told from now on, and how to listen no more. */
function listen() {
  const told: string[] = [];
  const stop = store.onChange((changes: Change[]) => {
    for (const { kind, id, what, chat_id } of changes) told.push(`${kind} ${id} ${what} ${chat_id}`);
  });
  return { told, stop };
}

const command = (id: string) => ({ commandId: id, type: "send_text", text: id, payload: id, refusal: null });

it("tells of every change, in its order, whoever has made it", async () => {
  const { told } = listen();
  const { seq } = await store.messages.accept(messageOf("A", ANNA));
  await store.messages.accept(messageOf("A", ANNA));
  await store.messages.failed(seq, { error: "no", status: 500, nextAttemptAt: 0, waitMs: 1, detach: false });
  await store.messages.dead(seq, 500, "no");
  await store.operator.retry(seq, "anna");
  await store.messages.delivered(seq, 200, "{}", [command("x"), command("y")]);
  for (const id of [1, 2]) await store.commands.sending(id, null);
  await store.commands.settled(1, "sent", { reason: null, whatsappMessageId: "WA" });
  await store.commands.settled(2, "in_doubt", { reason: "lost", whatsappMessageId: null });
  await store.operator.resolve(2, "discard", "anna");
  const other = await store.messages.accept(messageOf("A", BEN, { text: "another" }));
  await store.operator.discard(other.seq, "anna");
  expect(told).toEqual([
    ...["accepted", "attempt_failed", "dead", "waits_again", "delivered"].map((what) => `message 1 ${what} ${ANNA}`),
    ...[1, 2].map((id) => `command ${id} pending ${ANNA}`),
    ...[1, 2].map((id) => `command ${id} sending ${ANNA}`),
    ...["1 sent", "2 in_doubt", "2 failed"].map((what) => `command ${what} ${ANNA}`),
    ...["dead", "discarded"].map((what) => `message 2 ${what} ${BEN}`),
  ]);
});

it("tells of nothing that was taken back, and of nothing once nobody listens", async () => {
  const { told, stop } = listen();
  await store.messages.accept(messageOf("A", ANNA));
  await expect(store.commands.sending(99, null)).rejects.toThrow();
  // It begins with a rehearsal of a message that is taken back.
  expect(store.check(new Database.SqliteError("malformed", "SQLITE_CORRUPT"))).toBe(true);
  const before = listen();
  before.stop();
  await store.messages.accept(messageOf("B", ANNA));
  expect(told).toEqual([`message 1 accepted ${ANNA}`, `message 2 accepted ${ANNA}`]);
  stop();
  stop();
  await store.messages.accept(messageOf("C", ANNA));
  expect(told).toHaveLength(2);
  const again = listen();
  await store.messages.accept(messageOf("D", ANNA));
  expect(again.told).toEqual([`message 4 accepted ${ANNA}`]);
});
