/** Alerts and what is still to be told of them outlive the sidecar: none is told twice as new, or forgotten. */
export const alerts = `
CREATE TABLE alerts (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  -- Whose or which: an account, a fault. Empty where there is one only.
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  -- JSON.
  details TEXT NOT NULL,
  -- For people, by the wall clock, ms; the other times are the proven ones (0009).
  since_at INTEGER NOT NULL,
  since INTEGER NOT NULL,
  -- It is not so any more, but that is not told yet.
  away_since INTEGER,
  told_at INTEGER NOT NULL,
  -- How many there were of what it counts when it was told last.
  told_amount INTEGER NOT NULL,
  -- How often it went away and came back.
  returns INTEGER NOT NULL,
  -- Its end was told, and then it came back.
  is_reopened INTEGER NOT NULL,
  ended_at INTEGER,
  ended INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_open ON alerts (since) WHERE ended IS NULL;
CREATE INDEX alerts_past ON alerts (ended) WHERE ended IS NOT NULL;

-- How many there ever were of each kind.
ALTER TABLE failures ADD COLUMN count INTEGER NOT NULL DEFAULT 0;

-- What waits to be brought to the operator.
CREATE TABLE notices (
  channel TEXT NOT NULL,
  number INTEGER NOT NULL,
  -- By the proven time, ms.
  told_at INTEGER NOT NULL,
  -- JSON.
  notice TEXT NOT NULL,
  PRIMARY KEY (channel, number)
) STRICT, WITHOUT ROWID;
`;
