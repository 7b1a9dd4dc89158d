/** What Hot Bags sends without being asked: how far its outbox was read, and what its commands belong to. */
export const outbound = `
-- How far the outbox at each path was read: another path is another outbox.
CREATE TABLE outbox_cursors (
  path TEXT PRIMARY KEY,
  cursor TEXT NOT NULL,
  -- 1: a restore has lost what was read since. What comes may have been sent, until the outbox is empty.
  is_behind INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- A command belongs to a message. One of the outbox answers none: it has a row of its own here, which is no customer's
-- message. new: it begins a conversation. refused: it was not let out. known: neither.
ALTER TABLE messages ADD COLUMN outbound TEXT CHECK (outbound IN ('known', 'new', 'refused'));
-- How many conversations were begun lately.
CREATE INDEX messages_begun ON messages (state_since, chat) WHERE outbound = 'new';
`;
