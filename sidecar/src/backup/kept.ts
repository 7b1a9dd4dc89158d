import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** In the state folder: what was there before a restore. Behind it is when. */
export const BEFORE_RESTORE = "before-restore-";

/** Behind the state folder's own name: the copy that install.sh keeps of it. */
const BEFORE_UPGRADE = ".before-upgrade";

/** Folders with an earlier state of a sidecar's: whoever is forgotten in this one is in those still. */
export function keptStates(stateDir: string): string[] {
  const upgrade = `${stateDir.replace(/\/+$/, "")}${BEFORE_UPGRADE}`;
  const restores = readdirSync(stateDir)
    .filter((name) => name.startsWith(BEFORE_RESTORE))
    .map((name) => join(stateDir, name));
  return existsSync(upgrade) ? [...restores, upgrade] : restores;
}
