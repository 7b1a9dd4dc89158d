import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { CACHE } from "../openclaw/places.ts";

const run = promisify(execFile);

const HOME = join(CACHE, "postgres");

/** Debian puts each version into a folder of its own. */
const VERSIONS = "usr/lib/postgresql";

/** Of a mirror that does not answer, ms. */
const PATIENCE_MS = 60_000;

/** Postgres refuses to run as root: it runs as the user "nobody" then. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

/** The real PostgreSQL, empty, on a socket in a folder of its own. */
export interface Postgres extends AsyncDisposable {
  /** The folder of its socket, as `pg` takes it for a host. */
  host: string;
  /** Its first process, the parent of all others. */
  pid: number;
}

/**
 * Starts one: of the PATH, of Debian's place, or of the clone's cache, where Debian's package is unpacked once without
 * root. Resolves with a sentence where there is none to be had. What it has committed survives a cut of the power only if
 * `isDurable`. `more`: settings, `name=value`, that count more than these.
 */
export async function startPostgres({
  isDurable = false,
  more = [] as readonly string[],
} = {}): Promise<Postgres | string> {
  const bin = await findPrograms();
  if (typeof bin === "object") return bin.why;
  // The folder of the tests is root's alone; and the path of a socket is 107 bytes long at most.
  const dir = mkdtempSync(join(isRoot ? "/tmp" : tmpdir(), "hotbags-pg-"));
  if (isRoot) chownSync(dir, NOBODY, NOBODY);
  chmodSync(dir, 0o700);
  const data = join(dir, "data");
  const env = { ...process.env, LD_LIBRARY_PATH: libraries(), LC_ALL: "C" };
  const initdb = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  await run(join(bin, "initdb"), initdb, { env, cwd: dir, ...user });
  const settings = [
    "listen_addresses=",
    `fsync=${isDurable ? "on" : "off"}`,
    "max_connections=60",
    `unix_socket_directories=${dir}`,
    ...more,
  ];
  const args = ["-D", data, ...settings.flatMap((setting) => ["-c", setting])];
  const server = spawn(join(bin, "postgres"), args, { env, cwd: dir, stdio: ["ignore", "ignore", "pipe"], ...user });
  await isReady(server);
  return {
    host: dir,
    pid: server.pid ?? 0,
    async [Symbol.asyncDispose]() {
      const ended = once(server, "close");
      // Smart shutdown: it waits for those who say goodbye, and cuts nobody off.
      server.kill("SIGTERM");
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function isReady(server: ChildProcess): Promise<void> {
  let said = "";
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on("data", (chunk) => {
      said += chunk;
      if (said.includes("ready to accept connections")) resolve();
    });
    server.once("close", (code) => reject(new Error(`PostgreSQL ended with ${code}: ${said}`)));
  });
}

async function findPrograms(): Promise<string | { why: string }> {
  const places = [...(process.env["PATH"] ?? "").split(delimiter), ...versionsIn("/"), ...versionsIn(HOME)];
  const found = places.find(isThere);
  if (found) return found;
  try {
    await unpack();
    return versionsIn(HOME).find(isThere) ?? { why: "Debian's package of PostgreSQL has no initdb where it should" };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { why: `there is no PostgreSQL here, and Debian's package can't be had: ${why}` };
  }
}

function versionsIn(root: string): string[] {
  const folder = join(root, VERSIONS);
  return existsSync(folder) ? readdirSync(folder).map((version) => join(folder, version, "bin")) : [];
}

function isThere(folder: string): boolean {
  return existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres"));
}

/** Of what was unpacked; the system's own are found without. */
function libraries(): string {
  const folder = join(HOME, "usr", "lib");
  const found = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith("-linux-gnu")) : [];
  return found.map((name) => join(folder, name)).join(delimiter);
}

/** Into a folder of its own first: another run may do the same, and this one may be killed. */
async function unpack(): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(`${HOME}-`);
  try {
    const lists = join(work, "lists");
    mkdirSync(join(lists, "partial"), { recursive: true });
    // Lists of our own: those of an image are mostly empty, and only root may fill them.
    const own = ["-o", `Dir::State::lists=${lists}`, "-o", `Dir::Cache=${work}`];
    const options = { cwd: work, timeout: PATIENCE_MS };
    await run("apt-get", [...own, "update"], options);
    const { stdout } = await run("apt-cache", [...own, "search", "--names-only", "^postgresql-[0-9]+$"], options);
    const newest = [...stdout.matchAll(/^postgresql-(\d+)/gm)]
      .map(([, version]) => Number(version))
      .sort((a, b) => b - a)[0];
    await run("apt-get", [...own, "download", `postgresql-${newest}`, "libpq5"], options);
    for (const archive of readdirSync(work).filter((name) => name.endsWith(".deb")))
      await run("dpkg", ["-x", join(work, archive), join(work, "root")]);
    renameSync(join(work, "root"), HOME);
  } catch (error) {
    if (!versionsIn(HOME).some(isThere)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
