/** Who may use the console, and what it looks for: a chat's messages, and which chats have something that is wrong. */
export const console = `
-- One-time links that nobody has used yet. Of each time the wall clock's (…_at) and the proven one (0009), ms: it is
-- over as soon as either says so.
CREATE TABLE console_links (
  token_sha256 BLOB PRIMARY KEY,
  user TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('look', 'act')),
  made_at INTEGER NOT NULL,
  made INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A number is never given twice: the audit names a session by it.
CREATE TABLE console_sessions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  token_sha256 BLOB NOT NULL,
  user TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('look', 'act')),
  made_at INTEGER NOT NULL,
  made INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  seen INTEGER NOT NULL
) STRICT;

-- A conversation, and which message of a chat is its last; which chats have dead letters.
CREATE INDEX messages_chat ON messages (chat, seq);
CREATE INDEX messages_dead_chat ON messages (chat) WHERE state = 'dead' AND discarded_at IS NULL;
`;
