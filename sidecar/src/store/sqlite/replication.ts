import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * The log is checkpointed at about 64 MB (pages of 4 KiB) where litestream has the database: it checkpoints itself, much sooner,
 * once it has copied the log. Where somebody else does so behind its back, a database that is restored from its copy can be
 * damaged (seen with 0.3.13 and a log that is checkpointed often). It must end somewhere, for litestream may be gone for good.
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
