import type { Clock } from "../../clock.ts";
import { MAYBE_SENT } from "../commands.ts";
import { MoveRefusedError } from "../moving.ts";
import type { CommandState } from "../operator.ts";
import { type Doubted, RestoreRefusedError, type RestoreTimes, restoreResult, UNKNOWN_SINCE } from "../restored.ts";
import { noteInAudit } from "./audit.ts";
import { movedRowsOf } from "./command-changes.ts";
import type { Queries } from "./connection.ts";
import { nameOf } from "./database-name.ts";
import { migrate } from "./migrate.ts";
import { refuseMoved } from "./moves.ts";
import { connect, lockMoves, NO_LIMIT, takeFromAll } from "./moving/room.ts";
import { ProvenTime } from "./proven-time.ts";
import { unusable } from "./unusable.ts";
import { Writing } from "./writing.ts";

interface RestoredParts {
  clock: Clock;
  /** When a sidecar worked last on what is lost, wall-clock ms; null: until now. */
  lostUntil: number | null;
  /** Who says so, for the audit. */
  who: string;
}

export interface Restored extends Doubted, RestoreTimes {
  /** The database, as people call it. */
  name: string;
}

/**
 * Marks in a database that its own tools have put back to an earlier time what may have happened since, as the embedded store
 * does with a backup that it restores. No sidecar may run on it. Rejects, with nothing changed, with MoveRefusedError where
 * one does, with RestoreRefusedError, or with StoreUnusableError.
 */
export async function markRestored(url: string, parts: RestoredParts): Promise<Restored> {
  const name = nameOf(url);
  const connection = connect(url);
  try {
    await mustBeThere(connection, name);
    await migrate(connection);
    await refuseMoved(connection);
    return await connection.transaction(async (tx) => {
      await lockMoves(tx);
      await takeFromAll(tx, name);
      return { name, ...(await mark(tx, parts)) };
    }, NO_LIMIT);
  } catch (error) {
    throw isTold(error) ? error : unusable(error);
  } finally {
    await connection.close();
  }
}

async function mark(tx: Queries, { clock, lostUntil, who }: RestoredParts): Promise<Doubted & RestoreTimes> {
  const restoredAt = Math.round(clock.now());
  // The database itself says when a sidecar worked on it last, to a minute.
  const [seen] = await tx.rows<{ wall_at: number }>("SELECT wall_at FROM proven_time");
  const madeAt = Math.min(seen?.wall_at ?? restoredAt, restoredAt);
  if (lostUntil !== null && lostUntil < madeAt)
    throw new RestoreRefusedError(
      `the database is as it was at ${new Date(madeAt).toISOString()}, and nothing of before is lost: --lost-until is a later time`,
    );
  const times = { madeAt, restoredAt, lostUntil: lostUntil ?? restoredAt };
  const time = await ProvenTime.read(tx, clock);
  await time.note();
  const accounts = await tx.rows<{ account_id: string }>("SELECT DISTINCT account_id FROM chats");
  const [forgotten] = await tx.rows<{ secret: Buffer }>("SELECT secret FROM erasure");
  const guarded = {
    accounts: new Set(accounts.map(({ account_id }) => account_id)),
    secret: forgotten?.secret ?? null,
  };
  // Reports that nobody wants are dropped by the next sidecar's start.
  const writing = new Writing({ tx, guarded, clock, time, wanted: new Set(["command"]) });
  let commands = 0;
  for (const state of UNKNOWN_SINCE) commands += await doubt(writing, state, restoredAt);
  const [{ messages } = { messages: 0 }] = await tx.rows<{ messages: number }>(
    `WITH maybe AS (UPDATE messages SET maybe_answered = true WHERE state IN ('pending', 'dead') RETURNING 1)
     SELECT count(*) AS messages FROM maybe`,
  );
  await tx.rows("UPDATE outbox_cursors SET is_behind = true");
  // What was ended since, or made for somebody who may not look any more, must not be there again.
  await tx.rows("DELETE FROM console_links");
  await tx.rows("DELETE FROM console_sessions");
  const [restore] = await tx.rows<{ id: number }>(
    "INSERT INTO restores (made_at, restored_at, lost_until, reported) VALUES ($1, $2, $3, true) RETURNING id",
    ...[times.madeAt, times.restoredAt, times.lostUntil],
  );
  const result = restoreResult({ commands, messages });
  const subject = restore?.id ?? 0;
  await noteInAudit(writing, { who, action: "restore a backup", kind: "restore", subject, result });
  await writing.end();
  return { ...times, commands, messages };
}

/** What was in that state is in doubt. Resolves with how many there were. */
async function doubt(writing: Writing, state: CommandState, at: number): Promise<number> {
  const update = `UPDATE commands SET state = 'in_doubt', settled_at = $3, last_error = $4, said = NULL
    WHERE commands.state = $2`;
  return (await movedRowsOf(writing, writing.accounts, update, state, at, MAYBE_SENT)).length;
}

async function mustBeThere(db: Queries, name: string): Promise<void> {
  const [table] = await db.rows<{ is_there: boolean }>("SELECT to_regclass('schema_version') IS NOT NULL AS is_there");
  if (!table?.is_there)
    throw new RestoreRefusedError(`there is no store in ${name}: restore it first, by the database's own tools`);
}

function isTold(error: unknown): boolean {
  return error instanceof RestoreRefusedError || error instanceof MoveRefusedError;
}
