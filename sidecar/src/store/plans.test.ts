import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it, vi } from "vitest";
import { systemClock } from "../clock.ts";
import { openStore } from "./index.ts";

/** Read once at start, where a pass over what waits is what they are for; or over a bounded number of the newest rows. */
const MAY_SCAN = [/GROUP BY chat/, /ORDER BY id DESC LIMIT/, /FROM counters$/];

/** A walk along an index that holds nothing else than what is asked for, and mostly stops at its first row. */
const IS_WALK = /USING (COVERING )?INDEX (messages_detached|commands_sending|commands_in_doubt)$/;

it("every statement finds its rows by an index, so that none costs more with a million rows than with a thousand", () => {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-plans-"));
  const prepare = vi.spyOn(Database.prototype, "prepare");
  const store = openStore(dir, systemClock);
  const statements = prepare.mock.calls.map(([sql]) => sql).filter((sql) => /^\s*(SELECT|UPDATE|DELETE)/.test(sql));
  prepare.mockRestore();
  store.close();

  const db = new Database(join(dir, "bridge.sqlite"));
  const scans = statements
    .filter((sql) => !MAY_SCAN.some((allowed) => allowed.test(sql)))
    .flatMap((sql) => {
      const parameters = sql.includes("@")
        ? [{ seq: 1, now: 1, waitMs: 1, nextAttemptAt: 1, status: 1, error: "", detach: 0 }]
        : Array((sql.match(/\?/g) ?? []).length).fill(1);
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters) as { detail: string }[];
      return plan
        .filter(
          ({ detail }) =>
            /^SCAN (messages|commands|payloads|chats|media|[mkpc])\b/.test(detail) && !IS_WALK.test(detail),
        )
        .map(({ detail }) => `${detail}: ${sql}`);
    });
  db.close();
  rmSync(dir, { recursive: true });
  expect(statements.length).toBeGreaterThan(20);
  expect(scans).toEqual([]);
});
