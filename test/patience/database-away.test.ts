import { afterAll, beforeAll, expect, it } from "vitest";
import { livesWithoutDatabase } from "../fleet/away.ts";
import { type Databases, running, startDatabases } from "../fleet/databases.ts";

// As test/fleet/away.test.ts does in half a minute, by the clock: HOTBAGS_AWAY_MINUTES=62 for an hour, after which an alert that
// lasts is told again. Four are enough to see that the sidecar that does not lead tells of it, too.

const MINUTE_MS = 60_000;
const minutes = Number(process.env["HOTBAGS_AWAY_MINUTES"] ?? 4);

/** systemd's watchdog ends it about a minute after the ten for which a database may be away. */
const RESTART_AFTER_MS = Math.min(11, 0.9 * minutes) * MINUTE_MS;

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

it(
  "while the database is away for minutes the plugin keeps all that customers write; then each goes once and in order",
  async (test) => {
    const figures = await livesWithoutDatabase(running(test, databases), {
      ...{ lastsMs: minutes * MINUTE_MS, messages: Math.ceil(minutes * 7), restartAfterMs: RESTART_AFTER_MS },
    });
    expect(figures.written).toBeGreaterThan(0);
  },
  (minutes + 10) * MINUTE_MS,
);
