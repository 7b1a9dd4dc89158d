/**
 * The outbox's tables, one entry per version; `PRAGMA user_version` says how many have run. Entries are appended, never
 * edited: files written by older releases are out there. Two names are older than our words for them: `parked` has the
 * dead letters, `held` says that a message is incomplete.
 */
export const MIGRATIONS = [
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
  `
  -- Files (attachments). A message that has some is held until they are in our folder: held is 1 for what only
  -- message_received saw, 2 for what is complete but for its files. sources is where OpenClaw keeps them, a JSON list
  -- beside message.media with null for what has no file; files is how many the sidecar must have before the message.
  ALTER TABLE waiting ADD COLUMN sources TEXT;
  ALTER TABLE waiting ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
  DROP INDEX waiting_held;
  CREATE INDEX waiting_held ON waiting (seq) WHERE held > 0;

  -- What is in our folder, and which message needs it. By the message's key, so that a parked message keeps its files.
  CREATE TABLE files (sha256 TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
  CREATE TABLE uses (
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (account, chat, message_id, sha256)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX uses_file ON uses (sha256);
  CREATE TRIGGER waiting_let_go AFTER DELETE ON waiting WHEN old.files > 0 AND NOT EXISTS (
    SELECT 1 FROM parked WHERE account = old.account AND chat = old.chat AND message_id = old.message_id
  ) BEGIN
    DELETE FROM uses WHERE account = old.account AND chat = old.chat AND message_id = old.message_id;
  END;
  CREATE TRIGGER parked_let_go AFTER DELETE ON parked WHEN NOT EXISTS (
    SELECT 1 FROM waiting WHERE account = old.account AND chat = old.chat AND message_id = old.message_id
  ) BEGIN
    DELETE FROM uses WHERE account = old.account AND chat = old.chat AND message_id = old.message_id;
  END;
  CREATE TRIGGER use_ended AFTER DELETE ON uses WHEN NOT EXISTS (SELECT 1 FROM uses WHERE sha256 = old.sha256) BEGIN
    DELETE FROM files WHERE sha256 = old.sha256;
  END;

  ALTER TABLE totals ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE totals ADD COLUMN file_bytes INTEGER NOT NULL DEFAULT 0;
  CREATE TRIGGER file_added AFTER INSERT ON files BEGIN
    UPDATE totals SET files = files + 1, file_bytes = file_bytes + new.bytes;
  END;
  CREATE TRIGGER file_removed AFTER DELETE ON files BEGIN
    UPDATE totals SET files = files - 1, file_bytes = file_bytes - old.bytes;
  END;
  `,
  `
  -- Who dealt with which parked message, and how. The newest MAX_ENTRIES stay (parked.ts).
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    message_id TEXT NOT NULL,
    result TEXT NOT NULL
  ) STRICT;
  `,
];
