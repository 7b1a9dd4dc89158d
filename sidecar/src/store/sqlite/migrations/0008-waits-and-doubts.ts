/**
 * What a chat waits for by itself: its detached messages and its doubts. And what a damaged page keeps from being
 * changed.
 */
export const waitsAndDoubts = `
-- Detached messages wait for their own chat's only.
DROP INDEX messages_detached;
CREATE INDEX messages_detached ON messages (chat, next_attempt_at) WHERE state = 'pending' AND detached = 1;

-- A doubt is asked about once a gateway process, and the operator is told of it once, over restarts of the sidecar.
ALTER TABLE commands ADD COLUMN asked_process TEXT;
ALTER TABLE commands ADD COLUMN alarmed_at INTEGER;

-- Rows on or beside a damaged page, whose state can't be changed: whoever looks for work passes them over.
CREATE TABLE passed_over_messages (seq INTEGER PRIMARY KEY) STRICT;
CREATE TABLE passed_over_commands (id INTEGER PRIMARY KEY) STRICT;
`;
