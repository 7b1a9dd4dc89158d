/** What an operator asks and does: the history of a message's attempts, dead letters that are done with, and who did what. Wall-clock ms. */
export const operator = `
-- The attempts that failed, of each message the first few and the last few (attempts.ts). The last attempt of a
-- message that is settled is in its own row.
CREATE TABLE attempts (
  seq INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
  -- From 1 on, over all budgets of the message.
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  -- NULL: it was not measured.
  duration_ms INTEGER,
  status INTEGER,
  error TEXT,
  PRIMARY KEY (seq, attempt)
) STRICT, WITHOUT ROWID;

-- How long the attempt took that settled the message. NULL: it was not measured, or there was none.
ALTER TABLE messages ADD COLUMN duration_ms INTEGER;
-- A dead letter that the operator is done with. Its key stays.
ALTER TABLE messages ADD COLUMN discarded_at INTEGER;
DROP INDEX messages_dead;
CREATE INDEX messages_dead ON messages (seq) WHERE state = 'dead' AND discarded_at IS NULL;
CREATE INDEX messages_discarded ON messages (seq) WHERE discarded_at IS NOT NULL;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  -- "message", "command" or "chat", and which one.
  kind TEXT NOT NULL,
  subject INTEGER NOT NULL,
  result TEXT NOT NULL
) STRICT;
`;
