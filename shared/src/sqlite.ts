/**
 * The log is checkpointed when it reaches about 4 MB (pages of 4 KiB), and cut back to this after a checkpoint: one
 * outage must not keep its size for good.
 */
const WAL_CHECKPOINT_PAGES = 1_000;
const WAL_LIMIT_BYTES = 16 * 1024 * 1024;

const PRAGMAS = [
  "journal_mode = WAL",
  "synchronous = FULL",
  "foreign_keys = ON",
  `wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`,
  `journal_size_limit = ${WAL_LIMIT_BYTES}`,
];

/** `PRAGMA synchronous` says 2 for FULL. */
const FULL = 2;

/** What `node:sqlite` and better-sqlite3 have in common, as far as it is needed to open a database. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): { get(): unknown };
}

/** The database can't be used as it is; the message says why and what to do. Nothing was changed. */
export class DatabaseRefusedError extends Error {
  override readonly name = "DatabaseRefusedError";
}

/**
 * Sets what both databases of the bridge run with: what is committed survives a power cut, and the log has a bound.
 * Then brings the schema up to date: `migrations` has an entry a version, which is never edited once it was released;
 * `PRAGMA user_version` says how many have run. Throws DatabaseRefusedError, or SQLite's error when the file or the
 * disk can't be used.
 */
export function setUpDatabase(db: SqliteDatabase, file: string, migrations: readonly string[]): void {
  for (const pragma of PRAGMAS) db.exec(`PRAGMA ${pragma}`);
  // better-sqlite3 is compiled so that WAL means NORMAL, which forgets acknowledged messages in a power cut.
  const synchronous = readPragma(db, "synchronous");
  if (synchronous !== FULL) {
    const why = "this build of SQLite can't keep what it acknowledges";
    throw new DatabaseRefusedError(`${file} runs with synchronous=${synchronous} instead of ${FULL} (FULL): ${why}`);
  }
  migrate(db, file, migrations);
}

/** The number that SQLite gives for a pragma. */
export function readPragma(db: SqliteDatabase, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return Number(typeof row === "object" && row !== null ? Object.values(row)[0] : undefined);
}

function migrate(db: SqliteDatabase, file: string, migrations: readonly string[]): void {
  const version = readPragma(db, "user_version");
  if (version > migrations.length) {
    throw new DatabaseRefusedError(
      `${file} was written by a newer release (schema ${version}, this one knows ${migrations.length}). Install that release again; nothing was changed.`,
    );
  }
  if (version === migrations.length) return;
  // Immediate, and asked again inside: two instances of the plugin may open a new file at once.
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const migration of migrations.slice(readPragma(db, "user_version"))) db.exec(migration);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec("COMMIT");
  } catch (error) {
    rollBack(db);
    throw error;
  }
}

/** A full disk may have rolled back already: then ROLLBACK itself would throw, and hide the reason. */
function rollBack(db: SqliteDatabase): void {
  try {
    db.exec("ROLLBACK");
  } catch {}
}
