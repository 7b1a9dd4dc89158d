/** Dead letters that grow old, and customers who ask to be forgotten. */
export const erasure = `
-- Dead letters and discarded ones, in the order in which they became ones.
CREATE INDEX messages_given_up ON messages (has_text, state_since) WHERE state = 'dead';

-- One row, once somebody was forgotten: the key that numbers and ids of theirs are hashed with. Without it a hash of a
-- phone number could be found by trying all numbers, also by whoever has only a part of the database.
CREATE TABLE erasure (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  secret BLOB NOT NULL
) STRICT;
-- The chats of one number, over all accounts.
CREATE INDEX chats_number ON chats (chat_id);
`;
