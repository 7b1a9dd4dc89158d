import { afterAll, beforeAll, expect, it } from "vitest";
import { livesWithoutDatabase } from "./away.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// Half a minute of what test/patience/database-away.test.ts does for as long as is wanted.

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

it("while the database is away the plugin keeps all that customers write; then each goes once and in order", async (test) => {
  const figures = await livesWithoutDatabase(running(test, databases), {
    ...{ lastsMs: 30_000, messages: 36, restartAfterMs: 12_000 },
    env: { ALERT_CALM_SECONDS: "0" },
  });
  expect(figures.written).toBeGreaterThan(30);
}, 600_000);
