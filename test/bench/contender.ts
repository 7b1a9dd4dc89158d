import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GATEWAY_TOKEN } from "../gateway/scripted-gateway.ts";
import { takeCareOf } from "../openclaw/caretaker.ts";
import { BEARER_TOKEN, BRIDGE_TOKEN } from "../sidecar/built-sidecar.ts";
import { until } from "../until.ts";
import type { FarEnds } from "./far-ends.ts";
import { Plugin } from "./plugin.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Who takes the messages: the sidecar as it is deployed, or the prototype with a commit for each turn of the event loop,
 * for each step, or for each turn in a thread of its own.
 */
export const CONTENDERS = {
  group: "prototype, group commit",
  step: "prototype, commit per step",
  thread: "prototype, group commit in a thread",
  sidecar: "the sidecar",
};
export type Name = keyof typeof CONTENDERS;

/** Node's own options as the sidecar's unit has them. */
const UNIT = readFileSync(here("../../systemd/hotbags-sidecar.service"), "utf8");
const NODE_OPTIONS = /^ExecStart=\S+ node (.*) -- /m.exec(UNIT)?.[1]?.split(" ") ?? [];

/** And what it says to the memory allocator. */
const ALLOCATOR = Object.fromEntries(
  [...UNIT.matchAll(/^Environment=(MALLOC_\w+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
);

const COMMANDS: Record<Name, string[]> = {
  group: [...NODE_OPTIONS, here("./prototype.child.ts")],
  step: [...NODE_OPTIONS, here("./prototype.child.ts")],
  thread: [...NODE_OPTIONS, here("./prototype.child.ts")],
  sidecar: [...NODE_OPTIONS, here("../../sidecar/dist/cli.js"), "serve"],
};

/** Has the kernel hold back each answer to fsync and fdatasync, and nothing else. The process keeps its number (-D). */
function slowDisk(ms: number): string[] {
  const calls = "fsync,fdatasync";
  const inject = `inject=${calls}:delay_exit=${ms * 1_000}`;
  return ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", `trace=${calls}`, "-e", inject, "--"];
}

interface How {
  /** Each flush of the disk takes so much longer. */
  flushMs?: number;
  /** On top of what it needs. */
  env?: Record<string, string>;
}

/** One process that takes messages, with a plugin that is linked to it. */
export class Contender {
  readonly name: Name;
  readonly folder: string;
  readonly #env: Record<string, string>;
  readonly #command: string[];
  #child: ChildProcess | undefined;
  #plugin: Plugin | undefined;
  /** Rejects when it ends unasked. */
  #ended: Promise<never> = new Promise(() => {});

  private constructor(name: Name, folder: string, ends: FarEnds, { flushMs = 0, env = {} }: How) {
    this.name = name;
    this.folder = folder;
    this.#command = [...(flushMs > 0 ? slowDisk(flushMs) : []), process.execPath, ...COMMANDS[name]];
    this.#env = {
      ...{ PATH: process.env["PATH"] ?? "", NODE_OPTIONS: process.env["BENCH_NODE_OPTIONS"] ?? "" },
      ...{ ...ALLOCATOR, BRIDGE_TOKEN, BENCH_COMMIT: name },
      HOTBAGS_BASE_URL: ends.hotbags,
      HOTBAGS_BEARER_TOKEN: BEARER_TOKEN,
      OPENCLAW_GATEWAY_URL: ends.gateway,
      OPENCLAW_GATEWAY_TOKEN: GATEWAY_TOKEN,
      BRIDGE_LISTEN: `unix:${this.#socket}`,
      BRIDGE_STATE_DIR: folder,
      BRIDGE_LOW_DISK_BYTES: "0",
      // Customers of the bench write faster than people, on purpose.
      BRIDGE_CHAT_REPLIES_PER_MINUTE: "0",
      BRIDGE_CHAT_REPLIES_PER_HOUR: "0",
      ...env,
    };
  }

  /**
   * Resolves when it takes the plugin's link. Its state is in a folder of its own, on the disk of the system's temporary files.
   */
  static async begin(name: Name, ends: FarEnds, how: How = {}): Promise<Contender> {
    const contender = new Contender(name, await mkdtemp(join(tmpdir(), "hotbags-bench-")), ends, how);
    await contender.start();
    return contender;
  }

  get #socket(): string {
    return join(this.folder, "bridge.sock");
  }

  get plugin(): Plugin {
    if (!this.#plugin) throw new Error(`${this.name} was not started`);
    return this.#plugin;
  }

  /** Resolves with how long it took until the plugin was welcomed, ms. */
  async start(): Promise<number> {
    const begun = performance.now();
    // Its log goes to a file, and not through a process that would have to read it.
    const log = openSync(join(this.folder, "log"), "a");
    const stdio: StdioOptions = ["ignore", log, log];
    const [program = "", ...args] = this.#command;
    const child = spawn(program, args, { env: this.#env, detached: true, stdio });
    closeSync(log);
    takeCareOf(child);
    this.#child = child;
    this.#ended = once(child, "exit").then(() => {
      throw new Error(`${this.name} has ended:\n${readFileSync(join(this.folder, "log"), "utf8").slice(-2_000)}`);
    });
    this.#ended.catch(() => {});
    const connect = () => Plugin.connect(this.#socket).catch(() => null);
    this.#plugin = await this.orEnds(until(`${this.name} takes the plugin`, connect, 20_000));
    return performance.now() - begun;
  }

  /** What is waited for; rejects with its log when it ends before that. */
  orEnds<T>(wait: Promise<T>): Promise<T> {
    return Promise.race([wait, this.#ended]);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    const closed = once(child, "exit");
    // The prototype knows no end.
    child.kill(this.name === "sidecar" ? "SIGTERM" : "SIGKILL");
    await closed;
    rmSync(this.#socket, { force: true });
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** CPU time that it has used so far, of all its threads, ms. */
  cpuMs(): number {
    const [user, system] = this.#proc("stat").split(") ")[1]?.split(" ").slice(11, 13) ?? [];
    return (Number(user) + Number(system)) * 10;
  }

  /** The most memory that it had so far, MB; `now`: that it has now. */
  rssMb(when: "peak" | "now"): number {
    const name = when === "peak" ? "VmHWM" : "VmRSS";
    return Math.round((Number(new RegExp(`${name}:\\s+(\\d+)`).exec(this.#proc("status"))?.[1]) * 1_024) / 1e6);
  }

  #proc(file: string): string {
    return readFileSync(`/proc/${this.#child?.pid}/${file}`, "utf8");
  }
}
