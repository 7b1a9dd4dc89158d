/** What each sidecar sees of what is common to all, for the one that leads to tell of. */
export const sightings = `
CREATE TABLE sightings (
  -- A process of a sidecar.
  seer uuid PRIMARY KEY,
  -- JSON, of the sidecars alone.
  seen text NOT NULL,
  seen_at timestamptz NOT NULL
);
`;
