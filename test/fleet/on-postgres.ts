/** Tests that are run with the store in PostgreSQL as well (project `postgres`). They open it by test/shop/store-of-tests.ts. */
export const ON_POSTGRES = [
  "test/sidecar/outbox.test.ts",
  "test/sidecar/relay.test.ts",
  "test/sidecar/replies.test.ts",
  "test/sidecar/reports.test.ts",
  "test/sidecar/waits.test.ts",
];
