/** What may be forgotten, found in the order in which it was settled, without a look at anything else. */
export const forgetting = `
-- 1: its text is still here.
ALTER TABLE messages ADD COLUMN has_text INTEGER NOT NULL DEFAULT 1;
UPDATE messages SET has_text = 0 WHERE NOT EXISTS (SELECT 1 FROM payloads p WHERE p.seq = messages.seq);
DROP INDEX messages_settled;
CREATE INDEX messages_delivered ON messages (has_text, settled_at) WHERE state = 'delivered';
`;
