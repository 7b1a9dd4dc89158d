/** When each WhatsApp account was last seen connected, and the times from which messages may be missing. Times are wall-clock ms since the epoch. */
export const downtime = `
-- One row an account of the gateway's configuration.
CREATE TABLE connections (
  account_id TEXT PRIMARY KEY,
  gateway_process TEXT,
  started_at INTEGER,
  connected_at INTEGER,
  last_inbound_at INTEGER,
  state TEXT NOT NULL CHECK (state IN ('up', 'lost', 'taken')),
  alive_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A hundred rows at the most. The newest always stays, so no id is used twice.
CREATE TABLE downtimes (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  -- NULL: not known.
  from_at INTEGER,
  to_at INTEGER NOT NULL,
  clock_jump_ms INTEGER NOT NULL,
  noticed_at INTEGER NOT NULL,
  alerted_at INTEGER
) STRICT;
`;
