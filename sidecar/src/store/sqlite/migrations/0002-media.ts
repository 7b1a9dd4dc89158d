/** Which files a message has. The files themselves are in the folder `media/`, named by their SHA-256. */
export const media = `
-- One row for each attachment whose file is kept for its message.
CREATE TABLE media (
  seq INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
  -- Its place in the message, from 0.
  position INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  -- The byte of the stored request at which the file's base64 is put in for a POST; null: the file is only described.
  place INTEGER,
  PRIMARY KEY (seq, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX media_file ON media (sha256);
`;
