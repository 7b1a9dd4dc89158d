/** Chats whose replies wait, because somebody else answers there. */
export const pauses = `
-- Hot Bags' pause of a chat and the operator's, each for itself: neither ends the other's.
CREATE TABLE pauses (
  chat INTEGER NOT NULL REFERENCES chats,
  by TEXT NOT NULL CHECK (by IN ('hotbags', 'operator')),
  -- By the proven time, ms: a clock that jumps neither ends a pause nor makes it endless.
  until_at INTEGER NOT NULL,
  -- Replies up to this one were given before the pause, and go out. 0: there are none.
  after_command INTEGER NOT NULL,
  replies TEXT NOT NULL CHECK (replies IN ('hold', 'skip')),
  PRIMARY KEY (chat, by)
) STRICT, WITHOUT ROWID;
CREATE INDEX pauses_until ON pauses (until_at);
`;
