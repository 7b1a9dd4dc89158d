import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { CACHE } from "../openclaw/places.ts";

const run = promisify(execFile);

const HOME = join(CACHE, "prometheus");

/** Of a mirror that does not answer, ms. */
const PATIENCE_MS = 60_000;

/** The real programs, as Debian packages them. */
export interface PrometheusPrograms {
  prometheus: string;
  promtool: string;
}

/**
 * Finds Prometheus: on the PATH, or in the clone's cache, where Debian's package is unpacked once (19 MB; 2 to 10 s). Nothing
 * is installed on the machine, and it needs no root. Resolves with a sentence where there is none to be had.
 */
export async function findPrometheus(): Promise<PrometheusPrograms | string> {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).map(programsIn).find(isThere);
  if (onPath) return onPath;
  const cached = programsIn(join(HOME, "usr", "bin"));
  if (isThere(cached)) return cached;
  try {
    await unpack();
    return cached;
  } catch (error) {
    const said =
      error instanceof Error ? (error.message.split("\n").find((line) => line.startsWith("E:")) ?? error.message) : "";
    return `there is no Prometheus here, and Debian's package can't be had: ${said}`;
  }
}

function programsIn(folder: string): PrometheusPrograms {
  return { prometheus: join(folder, "prometheus"), promtool: join(folder, "promtool") };
}

function isThere({ prometheus, promtool }: PrometheusPrograms): boolean {
  return existsSync(prometheus) && existsSync(promtool);
}

/** Into a folder of its own first: another run may do the same, and this one may be killed. */
async function unpack(): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(`${HOME}-`);
  try {
    await download(work);
    const [archive = ""] = readdirSync(work).filter((name) => name.endsWith(".deb"));
    await run("dpkg", ["-x", join(work, archive), join(work, "root")]);
    renameSync(join(work, "root"), HOME);
  } catch (error) {
    if (!isThere(programsIn(join(HOME, "usr", "bin")))) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** By the machine's package lists, or else by lists of our own: those of an image are mostly empty, and only root may fill them. */
async function download(cwd: string): Promise<void> {
  const get = (...options: string[]) =>
    run("apt-get", [...options, "download", "prometheus"], { cwd, timeout: PATIENCE_MS });
  try {
    await get();
  } catch {
    const lists = join(cwd, "lists");
    mkdirSync(join(lists, "partial"), { recursive: true });
    const own = ["-o", `Dir::State::lists=${lists}`, "-o", `Dir::Cache=${cwd}`];
    await run("apt-get", [...own, "update"], { cwd, timeout: PATIENCE_MS });
    await get(...own);
  }
}
