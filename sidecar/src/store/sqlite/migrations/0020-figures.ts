/**
 * What passed in each minute of the last days and each hour of the last weeks: two rings. A step has its place by its
 * time, so that a row is written over, and nothing grows or has to be deleted, whatever the clock says.
 */
export const figures = `
CREATE TABLE figures (
  -- Minutes first, then hours; in its ring the number of the step since 1970, modulo the length of the ring.
  place INTEGER PRIMARY KEY,
  -- When the step begins, s since 1970, by the wall clock. No row: nobody counted.
  at INTEGER NOT NULL,
  -- JSON: see writeTally.
  tally TEXT NOT NULL
) STRICT;
`;
