/** Ages that no jump of the machine's clock changes: proven-time.ts says what they are counted by. */
export const provenTime = `
-- One row: how far the proven time was, and the latest time that the wall clock ever showed. Ms.
CREATE TABLE proven_time (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  proven_at INTEGER NOT NULL,
  wall_at INTEGER NOT NULL
) STRICT;

-- Since when a message is in its state, by the proven time. The other times are the wall clock's, for people.
ALTER TABLE messages ADD COLUMN state_since INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET state_since = coalesce(settled_at, received_at);
INSERT INTO proven_time SELECT 1, max(state_since), max(state_since) FROM messages HAVING count(*) > 0;
DROP INDEX messages_delivered;
CREATE INDEX messages_delivered ON messages (has_text, state_since) WHERE state = 'delivered';
`;
