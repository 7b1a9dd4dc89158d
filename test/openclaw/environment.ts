import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { compileCache } from "./compile-cache.ts";
import { configPath } from "./places.ts";
import { MARK } from "./stragglers.ts";

const LOOPBACK_ONLY = `--import=${new URL("./loopback-only.mjs", import.meta.url).href}`;

/**
 * All that a gateway process gets from the environment: nothing is inherited. Its home and temporary files are inside `root`, and it
 * reaches nothing but this machine. `additions` come on top; their NODE_OPTIONS are added to those that are there.
 */
export async function gatewayEnvironment(
  root: string,
  stateDir: string,
  ...additions: Record<string, string>[]
): Promise<Record<string, string>> {
  const home = join(root, "home");
  const tmp = join(root, "tmp");
  for (const folder of [home, tmp]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const nodeOptions = [LOOPBACK_ONLY, ...additions.map((addition) => addition["NODE_OPTIONS"] ?? "")];
  return {
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    LANG: "C.UTF-8",
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_CACHE_HOME: join(home, ".cache"),
    XDG_DATA_HOME: join(home, ".local", "share"),
    XDG_STATE_HOME: join(home, ".local", "state"),
    TMPDIR: tmp,
    OPENCLAW_STATE_DIR: stateDir,
    OPENCLAW_CONFIG_PATH: configPath(root),
    // Else it starts itself anew to set a flag of Node's, in a process group of its own that a kill would miss.
    OPENCLAW_NO_RESPAWN: "1",
    NODE_COMPILE_CACHE: await compileCache(),
    // Else it starts itself anew to put the cache into a subfolder.
    OPENCLAW_PACKAGED_COMPILE_CACHE_RESPAWNED: "1",
    ...Object.assign({}, ...additions),
    [MARK]: root,
    NODE_OPTIONS: nodeOptions.join(" ").trim(),
  };
}
