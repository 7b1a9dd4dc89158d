/** Messages, the commands that came back for them, and the counters of both. Times are wall-clock ms since the epoch. */
export const messagesAndCommands = `
CREATE TABLE chats (
  chat INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  chat_id TEXT NOT NULL,
  UNIQUE (account_id, chat_id)
) STRICT;

-- One row a message, kept for as long as its key must be remembered. seq is the order of arrival.
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY,
  chat INTEGER NOT NULL REFERENCES chats,
  message_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  -- 1: it failed by its own fault and is retried outside of its chat's lane, so that the chat goes on.
  detached INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  -- Time spent retrying: the sum of the waits, not a difference of clocks, so that a jump of the clock ages nothing.
  retrying_ms INTEGER NOT NULL DEFAULT 0,
  received_at INTEGER NOT NULL,
  last_attempt_at INTEGER,
  next_attempt_at INTEGER NOT NULL DEFAULT 0,
  settled_at INTEGER,
  status INTEGER,
  last_error TEXT
) STRICT;
-- message_id first: the same index finds a known message and an id that another chat has used.
CREATE UNIQUE INDEX messages_key ON messages (message_id, chat);
CREATE INDEX messages_lane ON messages (chat, seq) WHERE state = 'pending' AND detached = 0;
-- The oldest one that waits, without a walk over all lanes.
CREATE INDEX messages_pending ON messages (seq) WHERE state = 'pending';
CREATE INDEX messages_detached ON messages (next_attempt_at) WHERE state = 'pending' AND detached = 1;
CREATE INDEX messages_dead ON messages (seq) WHERE state = 'dead';
CREATE INDEX messages_settled ON messages (settled_at) WHERE settled_at IS NOT NULL;

-- The bytes apart from the bookkeeping: texts can be forgotten long before keys.
CREATE TABLE payloads (
  seq INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
  request TEXT NOT NULL,
  response TEXT
) STRICT;

CREATE TABLE commands (
  id INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
  chat INTEGER NOT NULL REFERENCES chats,
  position INTEGER NOT NULL,
  command_id TEXT,
  type TEXT,
  text TEXT,
  payload_sha256 TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'queued_by_gateway', 'in_doubt', 'failed', 'skipped')),
  -- 0: a command that was refused because its id belongs to another payload. It must not own the id.
  owns_id INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  sending_at INTEGER,
  gateway_process TEXT,
  settled_at INTEGER,
  whatsapp_message_id TEXT,
  -- 1: in doubt for good, a part of the text is on the phone and the rest is not.
  partial INTEGER NOT NULL DEFAULT 0,
  last_error TEXT
) STRICT;
CREATE UNIQUE INDEX commands_key ON commands (command_id) WHERE command_id IS NOT NULL AND owns_id = 1;
CREATE INDEX commands_message ON commands (seq);
CREATE INDEX commands_lane ON commands (chat, id) WHERE state = 'pending';
CREATE INDEX commands_pending ON commands (id) WHERE state = 'pending';
-- How much the gateway was asked lately: it forgets keys by number as well as by age.
CREATE INDEX commands_sending_at ON commands (sending_at) WHERE sending_at IS NOT NULL;
CREATE INDEX commands_sending ON commands (id) WHERE state = 'sending';
CREATE INDEX commands_in_doubt ON commands (id) WHERE state = 'in_doubt';

-- count(*) over a million rows takes 14 ms; these are read at every health check and written in the same transaction as what they count.
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
