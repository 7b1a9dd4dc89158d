import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { CACHE } from "../openclaw/places.ts";

const run = promisify(execFile);

/** Fly's packages of litestream's own binary, 0.3.13. */
const PACKAGE = `@flydotio/litestream-${process.platform}-${process.arch}`;
const VERSION = "1.0.1";
const HOME = join(CACHE, "litestream");

/** Of a registry that does not answer, ms. */
const PATIENCE_MS = 120_000;

/** The program: of the PATH, or of npm's registry, in the clone's cache. A sentence where there is none to be had. */
export async function findLitestream(): Promise<{ program: string } | string> {
  const packed = join(HOME, "node_modules", PACKAGE, "litestream");
  const places = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "litestream"));
  const found = [...places, packed].find((file) => existsSync(file));
  if (found) return { program: found };
  try {
    mkdirSync(HOME, { recursive: true });
    const install = ["install", "--prefix", HOME, "--no-save", "--ignore-scripts", `${PACKAGE}@${VERSION}`];
    await run("npm", install, { cwd: HOME, timeout: PATIENCE_MS });
    return { program: packed };
  } catch (error) {
    return `there is no litestream here, and npm's package can't be had: ${error instanceof Error ? error.message : String(error)}`;
  }
}
