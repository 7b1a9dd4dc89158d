import { setTimeout as after } from "node:timers/promises";
import { type Backoff, backoffMs } from "@hotbags/shared";
import { StoreUnusableError } from "../errors.ts";
import type { Connection, Queries } from "./connection.ts";
import { isCollision } from "./faults.ts";
import { migrations as all, type Migration } from "./migrations/index.ts";
import { OutdatedError } from "./schema.ts";

/** Of an advisory lock that lasts as long as its transaction, which a pooler keeps together. "hotbags" as letters of a phone. */
const LOCK = 4_682_247;

/** `server_version_num`: what PostgreSQL 15 was the first to have is in the statements. */
export const OLDEST_RELEASE = 150_000;

/**
 * So long a migration waits for a table, ms, that others are using: all who come after it wait behind it for as long. Then it
 * lets them pass, and tries again.
 */
const LOCK_MS = 1_000;
const TRIES = 5;
const BACKOFF: Backoff = { baseMs: 1_000, maxMs: 5_000 };

/**
 * Brings the database's tables up to date, each migration in a transaction of its own with the number that it makes. Of
 * two sidecars that start at once one waits for the other, and those that run on it go on. Resolves with the version, which is
 * a higher one where a newer release has written it, and this one can go on with that. Throws OutdatedError where it can't,
 * and StoreUnusableError where the database's texts are not in UTF-8, or others keep a table to themselves.
 */
export async function migrate(
  connection: Connection,
  migrations: readonly Migration[] = all,
  lockMs = LOCK_MS,
): Promise<number> {
  for (let failures = 0; ; ) {
    try {
      const version = await connection.transaction((tx) => step(tx, migrations, lockMs));
      if (version >= migrations.length) return version;
      failures = 0;
    } catch (error) {
      if (!isCollision(error)) throw error;
      failures += 1;
      if (failures >= TRIES) throw inUse(error);
      await after(backoffMs(BACKOFF, failures));
    }
  }
}

/** Resolves with the version that the database has now. */
async function step(tx: Queries, migrations: readonly Migration[], lockMs: number): Promise<number> {
  // A migration of many rows takes as long as it takes; the other one waits for that, and locks nothing meanwhile.
  await tx.rows("SET LOCAL statement_timeout = 0");
  await tx.rows("SET LOCAL lock_timeout = 0");
  await tx.rows("SELECT pg_advisory_xact_lock($1)", LOCK);
  await tx.rows(`SET LOCAL lock_timeout = ${Math.round(lockMs)}`);
  const [database] = await tx.rows<{ release: number; encoding: string; has_version: boolean }>(
    `SELECT current_setting('server_version_num')::int AS release, current_setting('server_encoding') AS encoding,
       to_regclass('schema_version') IS NOT NULL AS has_version`,
  );
  if (database && database.release < OLDEST_RELEASE)
    throw new StoreUnusableError(
      `the server is PostgreSQL ${Math.floor(database.release / 10_000)}: the bridge needs 15 or newer.`,
      { passes: false },
    );
  if (database?.encoding !== "UTF8")
    throw new StoreUnusableError(
      `the texts of the database are in ${database?.encoding}, where a customer's can't all be written: make one with ENCODING 'UTF8', and name that.`,
      { passes: false },
    );
  if (!database.has_version) await tx.rows(TABLE);
  const [row] = await tx.rows<{ version: number; oldest: number }>("SELECT version, oldest FROM schema_version");
  const { version, oldest } = row ?? { version: 0, oldest: 1 };
  if (oldest > migrations.length) throw new OutdatedError(migrations.length, version);
  const next = migrations[version];
  if (next === undefined) return version;
  if (typeof next === "string") await tx.rows(next);
  else await takeAway(tx, next.sql);
  await tx.rows(
    row ? "UPDATE schema_version SET version = $1, oldest = $2" : "INSERT INTO schema_version VALUES ($1, $2)",
    ...[version + 1, typeof next === "string" ? oldest : next.oldest],
  );
  return version + 1;
}

/** All releases read it, the oldest too. `oldest`: a release of an older schema than this can't go on. */
const TABLE = "CREATE TABLE schema_version (version integer NOT NULL, oldest integer NOT NULL)";

/**
 * What older releases need must not go in the midst of their work. Each transaction of theirs begins with a `guard` that locks
 * rows of `leases`: when this has the table none of them is under way, and each guard that waits for it sees by then that it is
 * outdated.
 */
async function takeAway(tx: Queries, sql: string): Promise<void> {
  await tx.rows("LOCK TABLE leases IN EXCLUSIVE MODE");
  await tx.rows(sql);
}

function inUse(cause: unknown): StoreUnusableError {
  return new StoreUnusableError(
    `the database's tables can't be brought up to date: others kept one of them to themselves, ${TRIES} times. Nothing was changed, and sidecars that run on it go on. Look for what is open for long, in pg_stat_activity.`,
    { passes: true, cause },
  );
}
