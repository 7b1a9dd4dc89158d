import { StoreUnusableError } from "../errors.ts";
import type { Connection, Queries } from "./connection.ts";
import { migrations as all } from "./migrations/index.ts";

/** Of an advisory lock that lasts as long as its transaction, which a pooler keeps together. "hotbags" as letters of a phone. */
const LOCK = 4_682_247;

/** `server_version_num`: what PostgreSQL 15 was the first to have is in the statements. */
export const OLDEST_RELEASE = 150_000;

/**
 * Brings the database's tables up to date, each migration in a transaction of its own with the number that it makes. Of
 * two sidecars that start at once one waits for the other. Resolves with the version. Throws StoreUnusableError where a
 * newer release has written it, or its texts are not in UTF-8.
 */
export async function migrate(connection: Connection, migrations: readonly string[] = all): Promise<number> {
  for (;;) {
    const version = await connection.transaction((tx) => step(tx, migrations));
    if (version === migrations.length) return version;
  }
}

/** Resolves with the version that the database has now. */
async function step(tx: Queries, migrations: readonly string[]): Promise<number> {
  // A migration of many rows takes as long as it takes; the other one waits for that.
  await tx.rows("SET LOCAL statement_timeout = 0");
  await tx.rows("SET LOCAL lock_timeout = 0");
  await tx.rows("SELECT pg_advisory_xact_lock($1)", LOCK);
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
  if (!database.has_version) await tx.rows("CREATE TABLE schema_version (version integer NOT NULL)");
  const [row] = await tx.rows<{ version: number }>("SELECT version FROM schema_version");
  const version = row?.version ?? 0;
  if (version > migrations.length)
    throw new StoreUnusableError(
      `the database was written by a newer release (schema ${version}, this one has ${migrations.length}): install that one. Nothing was changed.`,
      { passes: false },
    );
  const next = migrations[version];
  if (next === undefined) return version;
  await tx.rows(next);
  await tx.rows(row ? "UPDATE schema_version SET version = $1" : "INSERT INTO schema_version VALUES ($1)", version + 1);
  return version + 1;
}
