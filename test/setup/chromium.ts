import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { CACHE } from "../openclaw/places.ts";

const run = promisify(execFile);

const HOME = join(CACHE, "chromium");
const PROGRAM = join("usr", "lib", "chromium", "chromium");

/** Of a mirror that does not answer, and of 150 MB from one that does, ms. */
const PATIENCE_MS = 240_000;

/** A browser, and what it needs to find where it is not installed. */
export interface ChromiumProgram {
  path: string;
  env: Record<string, string>;
}

/**
 * Finds Debian's Chromium: on the PATH, or in the clone's cache, where its package is unpacked once with those that it needs and
 * this machine does not have. Nothing is installed on the machine, and it needs no root. Resolves with a sentence where
 * there is none to be had.
 */
export async function findChromium(): Promise<ChromiumProgram | string> {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "chromium"));
  const installed = onPath.find((path) => existsSync(path));
  if (installed) return { path: installed, env: {} };
  try {
    if (!isUnpacked()) await unpack();
    return unpacked();
  } catch (error) {
    const said =
      error instanceof Error ? (error.message.split("\n").find((line) => line.startsWith("E:")) ?? error.message) : "";
    return `there is no Chromium here, and Debian's package can't be had: ${said}`;
  }
}

const isUnpacked = () => existsSync(join(HOME, PROGRAM));

function unpacked(): ChromiumProgram {
  const folder = join(HOME, "usr", "lib");
  const libraries = readdirSync(folder).filter((name) => name.endsWith("-linux-gnu"));
  const paths = libraries.flatMap((name) => ["", "nss", "pulseaudio"].map((place) => join(folder, name, place)));
  const fonts = join(HOME, "etc", "fonts");
  return {
    path: join(HOME, PROGRAM),
    env: {
      LD_LIBRARY_PATH: paths.join(delimiter),
      // Where the machine has none, its own: without a font a page has no letters.
      ...(existsSync("/etc/fonts") ? {} : { FONTCONFIG_PATH: fonts, FONTCONFIG_SYSROOT: HOME }),
    },
  };
}

/** Into a folder of its own first: another run may do the same, and this one may be killed. */
async function unpack(): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(`${HOME}-`);
  try {
    const lists = join(work, "lists");
    const archives = join(work, "archives", "partial");
    for (const folder of [join(lists, "partial"), archives]) mkdirSync(folder, { recursive: true });
    // Lists of our own: those of an image are mostly empty, and only root may fill them.
    const own = ["-o", `Dir::State::lists=${lists}`, "-o", `Dir::Cache=${work}`, "-o", "Debug::NoLocking=1"];
    const options = { cwd: work, timeout: PATIENCE_MS, maxBuffer: 16 * 1024 ** 2 };
    await run("apt-get", [...own, "update"], options);
    // What an install would fetch is what this machine lacks.
    const install = ["install", "--download-only", "-y", "-q", "--no-install-recommends", "chromium"];
    await run("apt-get", [...own, ...install], options);
    const packages = join(work, "archives");
    for (const archive of readdirSync(packages).filter((name) => name.endsWith(".deb")))
      await run("dpkg", ["-x", join(packages, archive), join(work, "root")]);
    renameSync(join(work, "root"), HOME);
  } catch (error) {
    if (!isUnpacked()) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
