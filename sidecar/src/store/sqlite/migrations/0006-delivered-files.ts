/** Which files Hot Bags has already: they make room for new ones. */
export const deliveredFiles = `
-- When its message was delivered; null: it was not yet.
ALTER TABLE media ADD COLUMN delivered_at INTEGER;
UPDATE media SET delivered_at = (SELECT m.settled_at FROM messages m WHERE m.seq = media.seq AND m.state = 'delivered');
CREATE INDEX media_delivered ON media (delivered_at) WHERE delivered_at IS NOT NULL;
DROP INDEX media_file;
CREATE INDEX media_file ON media (sha256, delivered_at);
`;
