/** Replies that OpenClaw has in its own queue are followed until it has sent or dropped them. */
export const handovers = `
-- Of those of earlier releases, which nobody followed, nothing can be found out any more, and their texts may be gone.
INSERT INTO counters SELECT 'commands_in_doubt', count(*) FROM commands WHERE state = 'queued_by_gateway'
  ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
UPDATE counters SET value = 0 WHERE name = 'commands_queued_by_gateway';
UPDATE commands SET state = 'in_doubt', partial = 1, alarmed_at = settled_at WHERE state = 'queued_by_gateway';

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
