export const accountsAskedFor = `
-- Whether the owner stands beside the account: its own gateway has it, so that it can send.
ALTER TABLE leases ADD COLUMN is_beside boolean NOT NULL DEFAULT false;

-- Who stands beside an account and does not own it, and when it asked last. Apart from the lease: the owner's transactions
-- lock that row, and one that stands still would hold up whoever asks.
CREATE TABLE wanted_accounts (
  account_id text PRIMARY KEY,
  -- For people.
  wanted_by text NOT NULL,
  wanted_at timestamptz NOT NULL
);
`;
