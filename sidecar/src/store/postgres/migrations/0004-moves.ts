/** That the store is, or was, moved here from the other room, or from here into it: see `hotbags migrate`. */
export const moves = `
-- One row, since the last move began. No sidecar begins on what is not whole yet, or not here any more.
CREATE TABLE moves (
  id integer PRIMARY KEY CHECK (id = 1),
  way text NOT NULL CHECK (way IN ('in', 'out')),
  -- Where from or where to, for people.
  other text NOT NULL,
  -- Of a move here: which store is copied, in which state. Of one from here: what was written here last.
  fingerprint text NOT NULL,
  begun_at timestamptz NOT NULL DEFAULT now(),
  -- NULL: it is not done.
  done_at timestamptz,
  -- Until then somebody is at it.
  at_work_until timestamptz NOT NULL
);
-- How far each table was written.
CREATE TABLE move_progress (
  name text PRIMARY KEY,
  rows bigint NOT NULL,
  -- The key of the last row, as JSON.
  after text
);
`;
