import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * The log is checkpointed at about 64 MB (pages of 4 KiB) where litestream has the database: it checkpoints itself, much sooner,
 * once it has copied the log, and asks that nobody else does. It must end somewhere, for litestream may be gone for good.
 */
export const REPLICATED_CHECKPOINT_PAGES = 16_384;

/** What litestream keeps of its own beside a database of this name. */
export function litestreamFolderOf(databaseFile: string): string {
  return `.${databaseFile}-litestream`;
}

/** Whether litestream copies this database, or has. `file`: its path. */
export function isReplicated(file: string): boolean {
  return existsSync(join(dirname(file), litestreamFolderOf(basename(file))));
}
