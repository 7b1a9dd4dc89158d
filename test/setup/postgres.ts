import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { CACHE } from "../openclaw/places.ts";

const run = promisify(execFile);

/** The folder of a small disk. */
const SMALL = "small";

const HOME = join(CACHE, "postgresql");

/** Debian has the last one in the package of the client, which that of the server brings along. */
const PROGRAMS = ["initdb", "postgres", "pg_ctl", "pg_basebackup"];

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
  /** Its first process, the parent of all others; another one after each start. */
  readonly pid: number;
  /** Ends it as a kill would, by `pg_ctl stop -m immediate`: nothing is said to anybody, and nothing more is written. */
  crash(): Promise<void>;
  /** After a crash: from its log, on the same socket. */
  start(): Promise<void>;
  /** All its processes stand still: it takes connections, and says nothing. Returns how they go on. */
  freeze(): () => void;
  /**
   * Takes a copy of it (`pg_basebackup`), with its settings, that streams from it under this name. `way`: the folder of the
   * socket that it streams from, if that is another one.
   */
  replicate(name: string, way?: string): Promise<Postgres>;
  /** Makes a replica the primary of a history of its own. */
  promote(): Promise<void>;
  /** Runs a client's program of its release, as the server's user and in the folder of its socket. */
  run(program: "pg_dump" | "pg_restore", ...args: string[]): Promise<void>;
  /** A folder of its own that is a whole disk, and small; where that was asked for. */
  smallDisk: string | null;
}

/** A cluster's files, with what it is run with. */
interface Cluster {
  bin: string;
  dir: string;
  env: NodeJS.ProcessEnv;
  settings: readonly string[];
  /** MiB of the small disk; 0: there is none. */
  smallDiskMb: number;
  network: Network | null;
}

/** One that the server alone is in, apart from its socket. */
export interface Network {
  /** The file of its namespace. */
  namespace: string;
  /** The server's address in it. */
  address: string;
}

/**
 * Starts one: of the PATH, of Debian's place, or of the clone's cache, where Debian's package is unpacked once without
 * root. Resolves with a sentence where there is none to be had. What it has committed survives a cut of the power only if
 * `isDurable`. `more`: settings, `name=value`, that count more than these. `smallDiskMb`: see `smallDisk`.
 * `network`: it is to be reached there, too.
 */
export async function startPostgres({
  isDurable = false,
  more = [] as readonly string[],
  smallDiskMb = 0,
  network = null as Network | null,
} = {}): Promise<Postgres | string> {
  const bin = await findPrograms();
  if (typeof bin === "object") return bin.why;
  const env = { ...process.env, LD_LIBRARY_PATH: libraries(), LC_ALL: "C" };
  const dir = ownFolder();
  if (smallDiskMb > 0) {
    const why = await whyNoDisk(dir);
    if (why !== null) return why;
  }
  const initdb = ["-D", join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  await run(join(bin, "initdb"), initdb, { env, cwd: dir, ...user });
  if (network !== null) appendFileSync(join(dir, "data", "pg_hba.conf"), "host all all samenet trust\n");
  const settings = [
    `listen_addresses=${network?.address ?? ""}`,
    `fsync=${isDurable ? "on" : "off"}`,
    "max_connections=60",
    ...more,
  ];
  return await startCluster({ bin, dir, env, settings, smallDiskMb, network });
}

/** The folder of the tests is root's alone; and the path of a socket is 107 bytes long at most. */
function ownFolder(): string {
  const dir = mkdtempSync(join(isRoot ? "/tmp" : tmpdir(), "hotbags-pg-"));
  if (isRoot) chownSync(dir, NOBODY, NOBODY);
  chmodSync(dir, 0o700);
  return dir;
}

async function startCluster(cluster: Cluster): Promise<Postgres> {
  const { bin, dir, env, smallDiskMb } = cluster;
  const control = (...args: string[]) =>
    run(join(bin, "pg_ctl"), [...args, "-w", "-D", join(dir, "data")], { env, cwd: dir, ...user });
  let server = await startServer(cluster);
  return {
    host: dir,
    smallDisk: smallDiskMb > 0 ? join(dir, SMALL) : null,
    get pid() {
      return server.pid ?? 0;
    },
    async crash() {
      const ended = once(server, "close");
      await control("stop", "-m", "immediate");
      await ended;
    },
    async start() {
      server = await startServer(cluster);
    },
    freeze: () => freeze(server),
    replicate: (name, way) => replicate(cluster, name, way),
    async promote() {
      await control("promote");
    },
    async run(program, ...args) {
      await run(join(bin, program), args, { env, cwd: dir, ...user });
    },
    async [Symbol.asyncDispose]() {
      const ended = once(server, "close");
      // Smart shutdown: it waits for those who say goodbye, and cuts nobody off. One that has crashed has ended.
      if (server.exitCode === null && server.kill("SIGTERM")) await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function startServer({ bin, dir, env, settings, smallDiskMb, network }: Cluster): Promise<ChildProcess> {
  const all = [...settings, `unix_socket_directories=${dir}`];
  const args = ["-D", join(dir, "data"), ...all.flatMap((setting) => ["-c", setting])];
  const program = join(bin, "postgres");
  const plain = [program, ...args];
  const [command = program, ...its] =
    network !== null ? within(network, plain) : smallDiskMb > 0 ? withDisk(dir, smallDiskMb, plain) : plain;
  // Who enters a network is root, and becomes the other user after that.
  const who = network === null ? user : {};
  const server = spawn(command, its, { env, cwd: dir, stdio: ["ignore", "ignore", "pipe"], ...who });
  await isReady(server);
  return server;
}

/**
 * A command with a disk of its own, which nobody else sees: in a namespace in which it may mount, and in another one in
 * which it is not root, as the server must not be.
 */
function withDisk(dir: string, mb: number, command: readonly string[]): string[] {
  const script = 'mount -t tmpfs -o size="$1m",mode=700 small "$2" && shift 2 && exec "$@"';
  const notRoot = ["unshare", "--user", `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, "--"];
  return [
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    script,
    "sh",
    `${mb}`,
    join(dir, SMALL),
    ...notRoot,
    ...command,
  ];
}

function within({ namespace }: Network, command: readonly string[]): string[] {
  const notRoot = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  return ["nsenter", `--net=${namespace}`, "--", ...notRoot, ...command];
}

/** Makes the disk's folder. Resolves with why there can't be such a disk here; null: there can. */
async function whyNoDisk(dir: string): Promise<string | null> {
  mkdirSync(join(dir, SMALL));
  if (isRoot) chownSync(join(dir, SMALL), NOBODY, NOBODY);
  const [command = "", ...args] = withDisk(dir, 1, ["true"]);
  try {
    await run(command, args, { cwd: dir, ...user });
    return null;
  } catch (error) {
    rmSync(dir, { recursive: true });
    return `no small disk can be mounted here: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function replicate(primary: Cluster, name: string, way = primary.dir): Promise<Postgres> {
  const { bin, env, settings } = primary;
  const dir = ownFolder();
  const copy = ["-h", primary.dir, "-U", "postgres", "-D", join(dir, "data"), "-c", "fast", "--no-sync", "-R"];
  await run(join(bin, "pg_basebackup"), copy, { env, cwd: dir, ...user });
  const source = `primary_conninfo=host=${way} user=postgres application_name=${name}`;
  return await startCluster({ bin, dir, env, settings: [...settings, source], smallDiskMb: 0, network: null });
}

/** The first process at first: it makes no more of them then. */
function freeze({ pid = 0 }: ChildProcess): () => void {
  process.kill(pid, "SIGSTOP");
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  for (const child of children) process.kill(child, "SIGSTOP");
  return () => {
    for (const one of [pid, ...children]) process.kill(one, "SIGCONT");
  };
}

async function isReady(server: ChildProcess): Promise<void> {
  let said = "";
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on("data", (chunk) => {
      said += chunk;
      if (/ready to accept (read-only )?connections/.test(said)) resolve();
    });
    server.once("close", (code) => reject(new Error(`PostgreSQL ended with ${code}: ${said}`)));
  });
}

/** Why none can be had here, as a sentence; null: one can. */
export async function whyNoPostgres(): Promise<string | null> {
  const found = await findPrograms();
  return typeof found === "string" ? null : found.why;
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
  return PROGRAMS.every((program) => existsSync(join(folder, program)));
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
    const packages = [`postgresql-${newest}`, `postgresql-client-${newest}`, "libpq5"];
    await run("apt-get", [...own, "download", ...packages], options);
    for (const archive of readdirSync(work).filter((name) => name.endsWith(".deb")))
      await run("dpkg", ["-x", join(work, archive), join(work, "root")]);
    renameSync(join(work, "root"), HOME);
  } catch (error) {
    if (!versionsIn(HOME).some(isThere)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
