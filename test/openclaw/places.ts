import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The `openclaw` command of the pinned version. */
export const OPENCLAW = fileURLToPath(new URL("../node_modules/openclaw/openclaw.mjs", import.meta.url));

/** What is made once per clone and kept. */
export const CACHE = fileURLToPath(new URL("../../node_modules/.cache/hotbags", import.meta.url));

/** The configuration file of the gateway in this folder. */
export function configPath(root: string): string {
  return join(root, "openclaw.json");
}
