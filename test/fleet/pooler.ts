import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { socketFolder } from "./server.ts";

/** It refuses to run as root. */
const NOBODY = 65_534;

/** Debian's pgbouncer in its transaction mode: a connection has a server's for the length of a transaction. */
export interface Pooler extends AsyncDisposable {
  /** The folder of its socket. */
  host: string;
  /** Kills it (SIGKILL): all connections on both sides of it are gone. */
  crash(): Promise<void>;
  /** After a crash, on the same socket. */
  start(): Promise<void>;
}

/** Starts one before the server whose socket is in `to`; a sentence where it isn't installed. `size`: of its connections to the server. */
export async function startPooler(to: string, size = 10): Promise<Pooler | string> {
  const places = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  const program = places.map((place) => join(place, "pgbouncer")).find((path) => existsSync(path));
  if (!program) return "pgbouncer is not installed (Debian's package pgbouncer)";
  const isRoot = process.getuid?.() === 0;
  const folder = socketFolder();
  if (isRoot) chownSync(folder.path, NOBODY, NOBODY);
  chmodSync(folder.path, 0o755);
  const users = join(folder.path, "users.txt");
  const config = join(folder.path, "pgbouncer.ini");
  writeFileSync(users, '"postgres" ""\n');
  writeFileSync(
    config,
    `[databases]
* = host=${to} port=5432
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = ${folder.path}
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${size}
max_client_conn = 500
`,
  );
  const begin = () => run(program, config, folder.path, isRoot);
  let child = await begin();
  return {
    host: folder.path,
    crash: () => end(child, "SIGKILL"),
    async start() {
      child = await begin();
    },
    async [Symbol.asyncDispose]() {
      await end(child, "SIGTERM");
      folder[Symbol.dispose]();
    },
  };
}

/** Resolves when it takes connections. */
async function run(program: string, config: string, cwd: string, isRoot: boolean): Promise<ChildProcess> {
  const who = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const child = spawn(program, [config], { cwd, stdio: ["ignore", "ignore", "pipe"], ...who });
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
      if (said.includes("process up")) resolve();
    });
    child.once("close", (code) => reject(new Error(`pgbouncer ended with ${code}: ${said}`)));
  });
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "close");
  child.kill(signal);
  await ended;
}
