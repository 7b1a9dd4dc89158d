import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeCareOf } from "../../openclaw/caretaker.ts";
import { until } from "../../until.ts";

export interface Redis extends AsyncDisposable {
  socket: string;
  pid: number;
  version: string;
}

/** Redis on a socket, with a log that is on disk before each answer. Resolves with a sentence where there is none. */
export async function startRedis(): Promise<Redis | string> {
  let version: string;
  try {
    version = /v=(\S+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1] ?? "?";
  } catch {
    return "there is no redis-server here: install Debian's package redis-server";
  }
  const dir = mkdtempSync(join(tmpdir(), "hotbags-redis-"));
  const socket = join(dir, "redis.sock");
  const settings = { port: 0, unixsocket: socket, dir, appendonly: "yes", appendfsync: "always", save: "" };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = spawn("redis-server", args, { stdio: "ignore", detached: true });
  takeCareOf(server);
  await until("Redis answers", () => answers(socket), 20_000);
  return {
    ...{ socket, version, pid: server.pid ?? 0 },
    async [Symbol.asyncDispose]() {
      const ended = once(server, "exit");
      server.kill("SIGTERM");
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** CPU time that a process and its children have used so far, also those that have ended, us. */
export function cpuUsOf(pid: number): number {
  const stats = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? statOf(name) : []));
  const used = stats.filter(({ id, parent }) => id === pid || parent === pid);
  return used.reduce((sum, { ticks }) => sum + ticks * 10_000, 0);
}

function statOf(pid: string): { id: number; parent: number; ticks: number }[] {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return [{ id: Number(pid), parent: Number(fields[1]), ticks }];
  } catch {
    // It has ended since its name was read.
    return [];
  }
}
