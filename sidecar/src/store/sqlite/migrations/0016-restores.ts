/** What is not known any more after a backup was restored. Wall-clock ms. */
export const restores = `
-- One row each time that this database was put in the place of a later one.
CREATE TABLE restores (
  id INTEGER PRIMARY KEY,
  -- When the backup was made, and when it was restored.
  made_at INTEGER NOT NULL,
  restored_at INTEGER NOT NULL,
  -- What a customer has written by then may have been answered, and the answer forgotten with the later database.
  lost_until INTEGER NOT NULL
) STRICT;

-- 1: it may have been answered in the time that was lost, and its replies sent.
ALTER TABLE messages ADD COLUMN maybe_answered INTEGER NOT NULL DEFAULT 0;
`;
