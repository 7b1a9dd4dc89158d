/** What Hot Bags is still to be told, in order: what has become of its commands. */
export const reports = `
CREATE TABLE reports (
  id INTEGER PRIMARY KEY,
  -- What it is about; each kind has a path of its own at Hot Bags.
  kind TEXT NOT NULL,
  -- Those of one lane go in their order: the number of the command.
  lane INTEGER NOT NULL,
  -- The idempotency key.
  key TEXT NOT NULL,
  account_id TEXT NOT NULL,
  -- The same bytes in each attempt.
  body TEXT NOT NULL,
  -- By the proven time (0009).
  made_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX reports_lane ON reports (kind, lane, id);
CREATE INDEX reports_oldest ON reports (kind, id);

-- 1: what is in doubt since then was reported, or nobody wanted to know.
ALTER TABLE restores ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;
UPDATE restores SET reported = 1;
CREATE INDEX restores_unreported ON restores (restored_at) WHERE reported = 0;
`;
