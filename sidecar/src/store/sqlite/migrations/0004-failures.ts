/** For the operator: what failed last, and how many messages are detached. Times are wall-clock ms since the epoch. */
export const failures = `
-- One row a kind. It outlives its message, which is forgotten some day.
CREATE TABLE failures (
  kind TEXT PRIMARY KEY CHECK (kind IN ('dead', 'detached', 'command_failed')),
  at INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO failures SELECT 'dead', settled_at, message_id, last_error FROM messages
  WHERE state = 'dead' AND settled_at IS NOT NULL AND last_error IS NOT NULL ORDER BY seq DESC LIMIT 1;
INSERT INTO failures SELECT 'command_failed', k.settled_at, m.message_id, k.last_error
  FROM commands k JOIN messages m USING (seq)
  WHERE k.state = 'failed' AND k.settled_at IS NOT NULL AND k.last_error IS NOT NULL ORDER BY k.id DESC LIMIT 1;
INSERT INTO counters SELECT 'detached', count(*) FROM messages WHERE state = 'pending' AND detached = 1;
`;
