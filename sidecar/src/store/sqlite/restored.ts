import { codeOf, setUpDatabase } from "@hotbags/shared";
import Database from "better-sqlite3";
import { MAYBE_SENT } from "../commands.ts";
import { StoreUnusableError } from "../errors.ts";
import { type Doubted, type RestoreTimes, restoreResult, UNKNOWN_SINCE } from "../restored.ts";
import { explain } from "./database.ts";
import { migrations } from "./migrations/index.ts";
import { mustBeWhole } from "./snapshot.ts";

/**
 * Makes a database of a backup fit to go on with: checks it, brings it up to date, and marks what may have happened since.
 * What waited to be sent may have been, so it is in doubt. A message that was not answered may have been, so that the
 * replies that come back for it will be in doubt. `isHere`: whether an attachment is. Throws StoreUnusableError.
 */
export function makeRestored(
  file: string,
  times: RestoreTimes,
  who: string,
  isHere: (sha256: string) => boolean,
): Doubted {
  try {
    const db = new Database(file);
    try {
      mustBeWhole(db, "the database in the backup is damaged");
      setUpDatabase(db, file, migrations);
      const lacking = db.prepare<[], { sha256: string }>("SELECT DISTINCT sha256 FROM media").all();
      const absent = lacking.filter(({ sha256 }) => !isHere(sha256)).length;
      if (absent > 0) throw new StoreUnusableError(`${absent} attachments are not in the backup`, { passes: false });
      const doubted = db.transaction(() => mark(db, times, who))();
      // One file again, to be moved.
      db.pragma("journal_mode = DELETE");
      return doubted;
    } finally {
      db.close();
    }
  } catch (error) {
    throw isForeign(error)
      ? new StoreUnusableError(
          `the database in the backup is none that a release of hotbags has made (${codeOf(error)}): restore another backup. Nothing was changed`,
          { passes: false },
        )
      : explain(error, file);
  }
}

/** SQLite finds no fault with the file, but not what our schema has. The disk, or who may use it, is not to blame. */
function isForeign(error: unknown): boolean {
  return /^SQLITE_(ERROR|CONSTRAINT|MISMATCH|NOTADB|SCHEMA)/.test(codeOf(error));
}

function mark(db: Database.Database, { madeAt, restoredAt, lostUntil }: RestoreTimes, who: string): Doubted {
  const move = db.prepare("UPDATE counters SET value = value + ? WHERE name = ?");
  const doubt = db.prepare<[number, string, string]>(
    "UPDATE commands SET state = 'in_doubt', settled_at = ?, last_error = ?, said = NULL WHERE state = ?",
  );
  db.exec("INSERT OR IGNORE INTO counters VALUES ('commands_in_doubt', 0)");
  let commands = 0;
  for (const state of UNKNOWN_SINCE) {
    const { changes } = doubt.run(restoredAt, MAYBE_SENT, state);
    move.run(-changes, `commands_${state}`);
    move.run(changes, "commands_in_doubt");
    commands += changes;
  }
  const maybe = db.prepare("UPDATE messages SET maybe_answered = 1 WHERE state IN ('pending', 'dead')");
  const messages = maybe.run().changes;
  db.exec("UPDATE outbox_cursors SET is_behind = 1");
  // What was ended since, or made for somebody who may not look any more, must not be there again.
  db.exec("DELETE FROM console_links; DELETE FROM console_sessions");
  const restore = db
    .prepare("INSERT INTO restores (made_at, restored_at, lost_until) VALUES (?, ?, ?)")
    .run(madeAt, restoredAt, lostUntil);
  const result = restoreResult({ commands, messages });
  db.prepare(
    "INSERT INTO audit (at, who, action, kind, subject, result) VALUES (?, ?, 'restore a backup', 'restore', ?, ?)",
  ).run(restoredAt, who, restore.lastInsertRowid, result);
  return { commands, messages };
}
