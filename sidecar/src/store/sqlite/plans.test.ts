import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it, vi } from "vitest";
import { systemClock } from "../../clock.ts";
import { openStore } from "../index.ts";

/** Read once at start, where a pass over what waits is what they are for; or over a bounded number of rows. */
const MAY_WALK = [
  /GROUP BY chat/,
  /ORDER BY id DESC LIMIT/,
  /LIMIT 1000\)$/,
  /FROM counters$/,
  /FROM connections$/,
  /FROM proven_time$/,
  /FROM downtimes/,
  /FROM (alerts|notices)\b/,
  /^UPDATE failures SET/,
  // One row a kind.
  /FROM failures$/,
  /FROM chats$/,
  // Backwards, past what nobody has asked for since the last message: that goes out slowly.
  /FROM messages WHERE outbound IS NULL ORDER BY seq DESC LIMIT 1$/,
  /FROM console_(links|sessions)\b/,
  /FROM pauses INDEXED BY pauses_until/,
  // Only where a page of the database is damaged, and rows are found by an index that is whole.
  /FROM (messages m INDEXED BY messages_key|commands k INDEXED BY commands_message) WHERE /,
];

/** A walk along an index that holds nothing else than what is asked for, and mostly stops at its first row. */
const IS_WALK =
  /USING (COVERING )?INDEX (commands_sending|commands_in_doubt|commands_handed_over|restores_unreported)$/;

/** Every row of a table, a sort of all that was found, or an index made for the occasion: the work grows with what is there, not with what is wanted. */
const GROWS = /^SCAN |TEMP B-TREE|AUTOMATIC/;

/** Of all named parameters that there are. */
const NAMED = {
  ...{ chat: 1, seq: 1, now: 1, waitMs: 1, nextAttemptAt: 1, status: 1, error: "", detach: 0 },
  ...{ state: "dead", since: 1, status: 1, durationMs: 1 },
  ...{ hasText: 1, state_since: 1, before: 1, delivered_at: 1, position: 1 },
};

it("every statement finds its rows by an index, so that none costs more with a million rows than with a thousand", () => {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-plans-"));
  const prepare = vi.spyOn(Database.prototype, "prepare");
  const store = openStore(dir, systemClock);
  const statements = prepare.mock.calls.map(([sql]) => sql).filter((sql) => /^\s*(SELECT|UPDATE|DELETE)/.test(sql));
  prepare.mockRestore();
  store.close();

  const db = new Database(join(dir, "bridge.sqlite"));
  const planOf = (sql: string) => {
    const parameters = sql.includes("@") ? [NAMED] : Array((sql.match(/\?/g) ?? []).length).fill(1);
    return db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters);
  };
  const growing = statements
    .filter((sql) => !MAY_WALK.some((allowed) => allowed.test(sql)))
    .flatMap((sql) => planOf(sql).map(({ detail }) => ({ sql, detail })))
    .filter(({ detail }) => GROWS.test(detail) && !IS_WALK.test(detail));
  db.close();
  rmSync(dir, { recursive: true });
  expect(statements.length).toBeGreaterThan(20);
  expect(growing).toEqual([]);
});
