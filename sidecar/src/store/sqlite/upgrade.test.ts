import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { systemClock } from "../../clock.ts";
import { DEFAULT_MEDIA_LIMITS, openStore } from "../index.ts";
import { messagesAndCommands } from "./migrations/0001-messages-and-commands.ts";
import { migrations } from "./migrations/index.ts";

const REQUEST = '{"message_id":"W","media":[{"type":"image","omitted":"the file could not be read"}],"text":"é"}';

it("a database of the first release, with all it can hold, goes on where it was", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-upgrade-"));
  const old = new Database(join(dir, "bridge.sqlite"));
  old.pragma("journal_mode = WAL");
  old.exec(messagesAndCommands);
  old.exec(`
    INSERT INTO chats VALUES (1, 'default', '+15550001000'), (2, 'default', '+15550002000');
    INSERT INTO messages (seq, chat, message_id, state, detached, received_at, settled_at, last_error) VALUES
      (1, 1, 'D', 'delivered', 0, 1, 2, NULL), (2, 1, 'W', 'pending', 0, 3, NULL, NULL),
      (3, 2, 'X', 'dead', 1, 4, 5, 'it was refused'), (4, 2, 'Y', 'pending', 1, 6, NULL, 'no answer for it'),
      (5, 2, 'F', 'delivered', 0, 1, 2, NULL), (6, 2, 'E', 'delivered', 0, 1, 2, NULL);
    INSERT INTO payloads VALUES (1, '{"text":"old"}', '{}'), (2, '${REQUEST}', NULL), (3, '{"text":"dead"}', NULL),
      (4, '{}', NULL), (6, '{"text":"old too"}', '{}');
    INSERT INTO commands
      (id, seq, chat, position, command_id, type, text, payload_sha256, state, created_at, settled_at, last_error) VALUES
      (1, 1, 1, 0, 'c1', 'send_text', 'yes', 'x', 'pending', 2, NULL, 'the gateway is busy (UNAVAILABLE: its words (all))'),
      (2, 1, 1, 1, NULL, 'send_text', NULL, 'x', 'failed', 2, 2, 'it has no id'),
      (3, 1, 1, 2, 'c3', 'send_text', NULL, 'x', 'queued_by_gateway', 2, 2, 'not connected');
    INSERT INTO counters VALUES ('accepted', 6), ('delivered', 3), ('pending', 2), ('dead', 1),
      ('commands_pending', 1), ('commands_failed', 1), ('commands_queued_by_gateway', 1);
  `);
  old.pragma("user_version = 1");
  old.close();

  const clock = new SimulatedClock();
  const store = openStore(dir, clock);
  expect(await store.counters()).toMatchObject({
    accepted: 6,
    delivered: 3,
    pending: 2,
    dead: 1,
    detached: 1,
  });
  expect(await store.counters()).toMatchObject({ commands_queued_by_gateway: 0, commands_in_doubt: 1 });
  expect([
    await store.handovers.open(10),
    await Promise.all((await store.commands.inDoubt(10)).map((id) => store.commands.doubt(id))),
  ]).toEqual([[], [undefined]]);
  expect((await store.failures()).dead).toEqual({ at: 5, message_id: "X", reason: "it was refused", count: 0 });
  expect((await store.failures()).command_failed).toEqual({
    at: 2,
    message_id: "D",
    reason: "it has no id",
    count: 0,
  });
  expect(await store.messages.headOf(1)).toMatchObject({ message_id: "W", request: REQUEST, inlined: [] });
  expect(await store.commands.nextOf(1)).toMatchObject({ command_id: "c1", text: "yes" });
  expect(await store.operator.command(1)).toMatchObject({
    reason: "the gateway is busy",
    said: "the gateway is busy (UNAVAILABLE: its words (all))",
  });
  // These messages are of 1970 by their rows: only time that passes makes them old.
  expect(await store.retention.sweep({ textsDays: 2, keysDays: 90, deadLettersDays: 90 })).toEqual({
    texts: 0,
    keys: 0,
    files: 0,
    deadLetters: 0,
  });
  clock.advance(89.5 * 24 * 3_600_000);
  await store.messages.delivered(2, 200, "{}", []);
  await store.messages.delivered(4, 200, "{}", []);
  expect(await store.counters()).toMatchObject({
    accepted: 6,
    delivered: 5,
    pending: 0,
    dead: 1,
    detached: 0,
  });
  // F's text was forgotten before the upgrade, E's is now.
  expect(await store.retention.sweep({ textsDays: 1, keysDays: 90, deadLettersDays: 90 })).toEqual({
    texts: 1,
    keys: 2,
    files: 0,
    deadLetters: 1,
  });
  store.close();

  const now = new Database(join(dir, "bridge.sqlite"), { readonly: true });
  expect(now.pragma("user_version", { simple: true })).toBe(migrations.length);
  expect(now.prepare("SELECT message_id, state FROM messages ORDER BY seq").raw().all()).toEqual([
    ["D", "delivered"],
    ["W", "delivered"],
    ["X", "dead"],
    ["Y", "delivered"],
  ]);
  expect(now.prepare("SELECT count(*) FROM media").pluck().get()).toBe(0);
  expect(now.pragma("integrity_check", { simple: true })).toBe("ok");
  expect(now.pragma("foreign_key_check")).toEqual([]);
  now.close();
  rmSync(dir, { recursive: true });
});

it("files of messages that an older release has delivered make room for new ones, and those of others don't", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-upgrade-"));
  const old = new Database(join(dir, "bridge.sqlite"));
  for (const migration of migrations.slice(0, 3)) old.exec(migration);
  const [delivered, waits] = ["d".repeat(64), "e".repeat(64)];
  old.exec(`
    INSERT INTO chats VALUES (1, 'default', '+15550001000');
    INSERT INTO messages (seq, chat, message_id, state, received_at, settled_at) VALUES
      (1, 1, 'D', 'delivered', 1, 2), (2, 1, 'W', 'pending', 3, NULL);
    INSERT INTO payloads VALUES (1, '{}', '{}'), (2, '{}', NULL);
    INSERT INTO media VALUES (1, 0, '${delivered}', 3, NULL), (2, 0, '${waits}', 3, NULL);
  `);
  old.pragma("user_version = 3");
  old.close();
  mkdirSync(join(dir, "media"));
  for (const sha256 of [delivered, waits]) writeFileSync(join(dir, "media", sha256), "old");

  const store = openStore(dir, systemClock, { ...DEFAULT_MEDIA_LIMITS, storeBytes: 6 });
  const body = (async function* () {
    yield Buffer.from("new");
  })();
  const sha256 = createHash("sha256").update("new").digest("hex");
  expect(await store.files.receive(sha256, { offset: 0, length: 3, body })).toMatchObject({ kind: "whole" });
  store.close();
  expect(readdirSync(join(dir, "media")).sort()).toEqual([waits, sha256].sort());
  rmSync(dir, { recursive: true });
});
