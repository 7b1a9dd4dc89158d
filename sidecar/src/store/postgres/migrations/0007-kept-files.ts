/** The bytes of files that wait with their message: so that another machine, too, can send them along. */
export const keptFiles = `
CREATE TABLE kept_files (
  sha256 text PRIMARY KEY,
  size_bytes bigint NOT NULL,
  -- When somebody counted on it last.
  kept_at timestamptz NOT NULL
);
CREATE INDEX kept_files_age ON kept_files (kept_at);
CREATE TABLE kept_pieces (
  sha256 text NOT NULL REFERENCES kept_files ON DELETE CASCADE,
  -- From 0, in their order. All but the last have one length.
  n integer NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (sha256, n)
);
-- Pictures and sound are compressed already.
ALTER TABLE kept_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;
`;
