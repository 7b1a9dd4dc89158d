import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Counters } from "./counters.ts";
import { unfinishedRestore } from "./database.ts";
import { wordsOf } from "./faults.ts";
import { migrations } from "./migrations/index.ts";
import { DATABASE_FILE } from "./moves.ts";

/** Sentences of `quick_check` that are kept. One bad page can have thousands. */
const MAX_COMPLAINTS = 20;

/** What a look at every page of the database has found. */
export interface Inspection {
  sizeBytes: number;
  /** Its schema, and the one of this release. */
  version: number;
  newest: number;
  /** That a restore was cut off: then nothing else was looked at. Null: none was. */
  unfinished: string | null;
  /** What is damaged, in SQLite's words. */
  damage: string[];
  /** Counts that are not those of the rows, or do not add up. */
  ledger: string[];
}

/**
 * Reads every page of the database below `stateDir` (1 GB takes some seconds of a core) and changes nothing, beside a
 * sidecar that runs as well. Null: there is none yet. Throws SQLite's error where it can't be opened.
 */
export function inspectStore(stateDir: string): Inspection | null {
  const unfinished = unfinishedRestore(stateDir);
  const newest = migrations.length;
  if (unfinished !== null) return { sizeBytes: 0, version: 0, newest, unfinished, damage: [], ledger: [] };
  const file = join(stateDir, DATABASE_FILE);
  if (!existsSync(file)) return null;
  const sizeBytes = statSync(file).size;
  const db = new Database(file, { readonly: true });
  try {
    const version = Number(db.pragma("user_version", { simple: true }));
    const damage = damageOf(db);
    // One transaction: a sidecar that runs goes on to count meanwhile.
    const ledger = version === newest && damage.length === 0 ? db.transaction(() => ledgerOf(db))() : [];
    return { sizeBytes, version, newest, unfinished, damage, ledger };
  } catch (error) {
    return { sizeBytes, version: 0, newest, unfinished, damage: [wordsOf(error)], ledger: [] };
  } finally {
    db.close();
  }
}

function damageOf(db: Database.Database): string[] {
  const said = db.pragma(`quick_check(${MAX_COMPLAINTS})`) as { quick_check: string }[];
  return said.map((row) => row.quick_check).filter((sentence) => sentence !== "ok");
}

/** Of what is never deleted, and so can be counted. */
function ledgerOf(db: Database.Database): string[] {
  const { accepted, delivered, pending, dead, discarded } = new Counters(db).read();
  const count = (where: string) => Number(db.prepare(`SELECT count(*) FROM messages WHERE ${where}`).pluck().get());
  const found: string[] = [];
  if (accepted !== delivered + pending + dead + discarded)
    found.push(
      `${accepted} accepted are not ${delivered} delivered, ${pending} pending, ${dead} dead and ${discarded} discarded`,
    );
  const rows = { pending: count("state = 'pending'"), dead: count("state = 'dead' AND discarded_at IS NULL") };
  if (rows.pending !== pending) found.push(`${pending} pending are counted, and ${rows.pending} are there`);
  if (rows.dead !== dead) found.push(`${dead} dead are counted, and ${rows.dead} are there`);
  return found;
}
