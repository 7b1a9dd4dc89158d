/**
 * The least of the bridge's tables that its rules can be shown on: today's constraints (message ids, command ids, states)
 * in PostgreSQL's words, and the lease of an account. `seq` gives the order of arrival, as in the embedded store.
 */
export const SCHEMA = `
CREATE TABLE leases (
  account_id text PRIMARY KEY,
  owner text,
  token bigint NOT NULL DEFAULT 0,
  since timestamptz,
  expires_at timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE TABLE chats (
  chat bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id text NOT NULL,
  chat_id text NOT NULL,
  UNIQUE (account_id, chat_id)
);
CREATE TABLE messages (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  chat bigint NOT NULL REFERENCES chats,
  message_id text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
  detached boolean NOT NULL DEFAULT false,
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT '-infinity',
  received_at timestamptz NOT NULL DEFAULT now(),
  settled_at timestamptz,
  status integer,
  claimed_until timestamptz
);
CREATE UNIQUE INDEX messages_id ON messages (message_id);
CREATE INDEX messages_lane ON messages (chat, seq) WHERE state = 'pending' AND NOT detached;
CREATE INDEX messages_detached ON messages (chat, next_attempt_at) WHERE state = 'pending' AND detached;
CREATE TABLE payloads (seq bigint PRIMARY KEY REFERENCES messages, request bytea NOT NULL, response text);
CREATE TABLE commands (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  seq bigint NOT NULL REFERENCES messages,
  chat bigint NOT NULL REFERENCES chats,
  position integer NOT NULL,
  command_id text NOT NULL,
  text text NOT NULL,
  state text NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'sending', 'sent', 'queued_by_gateway', 'in_doubt', 'failed', 'skipped')),
  settled_at timestamptz,
  whatsapp_message_id text
);
CREATE UNIQUE INDEX commands_id ON commands (command_id);
CREATE INDEX commands_lane ON commands (chat, id) WHERE state = 'pending';
CREATE INDEX commands_sending ON commands (id) WHERE state = 'sending';
-- The ledger, by account: one row for all would have every sidecar wait for every other one's commit.
CREATE TABLE counters (
  account_id text NOT NULL,
  name text NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY (account_id, name)
);
`;
