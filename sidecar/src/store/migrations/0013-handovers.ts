/** Replies that OpenClaw has in its own queue are followed until it has sent or dropped them. */
export const handovers = `
CREATE INDEX commands_handed_over ON commands (id) WHERE state = 'queued_by_gateway';

-- One more kind: reply_dropped. Which kinds there are is checked where they are written.
ALTER TABLE failures RENAME TO failures_before;
CREATE TABLE failures (
  kind TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO failures SELECT kind, at, message_id, reason FROM failures_before;
DROP TABLE failures_before;
`;
