export const touched = `
-- How often something of the account was written by another sidecar than its owner: by the one that leads, or by one that an
-- operator has asked. The owner sees with each renewal whether it has to look.
ALTER TABLE leases ADD COLUMN touched bigint NOT NULL DEFAULT 0;
`;
