import type { DatabaseSync } from "node:sqlite";

/**
 * The outbox's tables, one entry per version; `PRAGMA user_version` says how many have run. Entries are appended, never
 * edited: files written by older releases are out there.
 */
const MIGRATIONS = [
  `
  -- Messages on their way to the sidecar, in order of arrival. AUTOINCREMENT: a seq is never used twice, or a late ack
  -- could delete another message than it was meant for.
  CREATE TABLE waiting (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    message_id TEXT NOT NULL,
    captured_at INTEGER NOT NULL,
    held INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX waiting_key ON waiting (account, chat, message_id);
  CREATE INDEX waiting_chat ON waiting (account, chat, seq);
  CREATE INDEX waiting_held ON waiting (seq) WHERE held = 1;

  -- What can never be delivered as it is: an operator has to look. Nothing deletes from here by itself.
  CREATE TABLE parked (
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    message_id TEXT NOT NULL,
    captured_at INTEGER NOT NULL,
    parked_at INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, chat, message_id)
  ) STRICT;

  -- Counters instead of count(*), which takes milliseconds on a long backlog. Triggers keep them, so that no path can
  -- forget.
  CREATE TABLE totals (waiting INTEGER NOT NULL, waiting_bytes INTEGER NOT NULL, parked INTEGER NOT NULL, parked_bytes INTEGER NOT NULL) STRICT;
  INSERT INTO totals VALUES (0, 0, 0, 0);
  CREATE TRIGGER waiting_added AFTER INSERT ON waiting BEGIN
    UPDATE totals SET waiting = waiting + 1, waiting_bytes = waiting_bytes + new.bytes;
  END;
  CREATE TRIGGER waiting_changed AFTER UPDATE OF bytes ON waiting BEGIN
    UPDATE totals SET waiting_bytes = waiting_bytes + new.bytes - old.bytes;
  END;
  CREATE TRIGGER waiting_removed AFTER DELETE ON waiting BEGIN
    UPDATE totals SET waiting = waiting - 1, waiting_bytes = waiting_bytes - old.bytes;
  END;
  CREATE TRIGGER parked_added AFTER INSERT ON parked BEGIN
    UPDATE totals SET parked = parked + 1, parked_bytes = parked_bytes + new.bytes;
  END;
  CREATE TRIGGER parked_removed AFTER DELETE ON parked BEGIN
    UPDATE totals SET parked = parked - 1, parked_bytes = parked_bytes - old.bytes;
  END;
  `,
];

/** The outbox was written by a newer release: using it could damage it. */
export class NewerOutboxError extends Error {
  override name = "NewerOutboxError";
}

/** Brings a database to the newest version. Throws `NewerOutboxError`, or what SQLite says. */
export function migrate(db: DatabaseSync, file: string): void {
  const version = versionOf(db);
  if (version > MIGRATIONS.length) {
    throw new NewerOutboxError(
      `${file} is of version ${version}, this plugin knows ${MIGRATIONS.length}: install the release that wrote it, or a newer one`,
    );
  }
  if (version === MIGRATIONS.length) return;
  // Immediate, and asked again inside: two instances may open a new file at once (a config edit replaces the running
  // one).
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const migration of MIGRATIONS.slice(versionOf(db))) db.exec(migration);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
}
