import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** In the state folder: what was there before a restore. Behind it is when. */
export const BEFORE_RESTORE = "before-restore-";

/** The same before a store came from somewhere else; and one that was moved away, which stays in its place. */
const BEFORE_MOVE = "before-move-";
const LEFT_BEHIND = { mark: "store.moved", database: "bridge.sqlite" };

/** Behind the state folder's own name: the copy that install.sh keeps of it. */
const BEFORE_UPGRADE = ".before-upgrade";

/** Folders, and files, with an earlier state of a sidecar's: whoever is forgotten in this one is in those still. */
export function keptStates(stateDir: string): string[] {
  const upgrade = `${stateDir.replace(/\/+$/, "")}${BEFORE_UPGRADE}`;
  const isKept = (name: string) => name.startsWith(BEFORE_RESTORE) || name.startsWith(BEFORE_MOVE);
  const kept = readdirSync(stateDir).filter(isKept);
  const { mark, database } = LEFT_BEHIND;
  if (existsSync(join(stateDir, mark)) && existsSync(join(stateDir, database))) kept.push(database);
  const paths = kept.map((name) => join(stateDir, name));
  return existsSync(upgrade) ? [...paths, upgrade] : paths;
}
