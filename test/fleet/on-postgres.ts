/**
 * Tests that are run with the store in PostgreSQL as well (project `postgres`). They open it by test/shop/store-of-tests.ts.
 * replies.test.ts and waits.test.ts can be, too: put here they pass, but not in every run yet.
 */
export const ON_POSTGRES = [
  "test/sidecar/outbox.test.ts",
  "test/sidecar/relay.test.ts",
  "test/sidecar/reports.test.ts",
];
