import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { takeCareOf } from "../openclaw/caretaker.ts";

const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));

/** Longer than this, ms, a start or a stop does not take. */
const PATIENCE_MS = 20_000;

/** One line of the sidecar's log. */
export type LogLine = Record<string, unknown> & { level?: string; msg?: string };

/** The real sidecar, `hotbags serve`, as a process of its own. It does not outlive this one, however this one ends. */
export class SidecarProcess {
  readonly lines: LogLine[] = [];
  #environment: Record<string, string>;
  #child: ChildProcess | undefined;
  /** Resolves when the newest process has ended and all that it said is read: "exit" alone can come before the last lines. */
  #closed: Promise<[code: number | null, signal: NodeJS.Signals | null]> | undefined;
  #watchers = new Set<(line: LogLine) => void>();

  readonly #fileLimitKiB: number | undefined;
  #cli: string;
  #envFile: string | undefined;

  /**
   * `environment` is all it gets, besides PATH, Node's compile cache and no care for the disk. No file of it can grow beyond
   * `fileLimitKiB`, as on a full disk. `cli`: of another release. It is not started yet.
   */
  constructor(
    environment: Record<string, string>,
    { fileLimitKiB, cli = CLI }: { fileLimitKiB?: number | undefined; cli?: string | undefined } = {},
  ) {
    this.#environment = environment;
    this.#cli = cli;
    this.#fileLimitKiB = fileLimitKiB;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Changes the environment of the next start. An undefined value takes a variable out. */
  configure(changes: Record<string, string | undefined>): void {
    const entries = Object.entries({ ...this.#environment, ...changes });
    this.#environment = Object.fromEntries(
      entries.filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  }

  /** The next start is of this release. */
  install(cli: string): void {
    this.#cli = cli;
  }

  /** The next start is with `--env-file`. */
  useEnvFile(path: string): void {
    this.#envFile = path;
  }

  /** Resolves when it listens. @throws Error with what it said, if it ended instead. */
  async start(): Promise<void> {
    const { PATH = "", NODE_COMPILE_CACHE } = process.env;
    // How full the disk of the tests is, is none of their business.
    const anyDisk = { BRIDGE_LOW_DISK_BYTES: "0" };
    const env = { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }), ...anyDisk, ...this.#environment };
    const [program, args] = this.#command();
    const child = spawn(program, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    takeCareOf(child);
    this.#child = child;
    const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    this.#closed = closed;
    let complaint = "";
    child.stderr.on("data", (chunk) => {
      complaint += chunk;
    });
    createInterface({ input: child.stdout }).on("line", (line) => this.#heard(line));
    const wait = new AbortController();
    const started = this.logs(({ msg }) => msg === "sidecar started", PATIENCE_MS, wait.signal);
    const ended = closed.then(([code]) => {
      throw new Error(`the sidecar ended with code ${code} at start: ${complaint.trim()}`);
    });
    ended.catch(() => {});
    await Promise.race([started, ended]).finally(() => wait.abort());
  }

  /** Asks it to stop (SIGTERM), and resolves with its exit code when it has. */
  stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** Kills it (SIGKILL) where it stands. */
  kill(): Promise<number | null> {
    return this.#end("SIGKILL");
  }

  async restart(changes: Record<string, string | undefined> = {}): Promise<void> {
    await this.stop();
    this.configure(changes);
    await this.start();
  }

  /** Resolves when the newest process has ended, with its signal or exit code. */
  async ended(): Promise<NodeJS.Signals | number | null> {
    if (!this.#closed) throw new Error("the sidecar was not started");
    const [code, signal] = await this.#closed;
    return signal ?? code;
  }

  /** Calls the watcher with each line from now on. Returns how to stop that. */
  onLine(watcher: (line: LogLine) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Resolves with the first line so far, or else from now on, that matches. A line comes a little later than what it tells of. */
  async logged(matches: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine> {
    return this.lines.find(matches) ?? (await this.logs(matches, timeoutMs));
  }

  /** Resolves with the first line from now on that matches; never, once the signal says that nobody waits any longer. */
  logs(matches: (line: LogLine) => boolean, timeoutMs = 10_000, signal?: AbortSignal): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
      };
      const watcher = (line: LogLine) => {
        if (!matches(line)) return;
        done();
        resolve(line);
      };
      const timer = setTimeout(() => {
        done();
        const last = this.lines.slice(-5).map((line) => JSON.stringify(line));
        reject(new Error(`the sidecar did not log it within ${timeoutMs} ms; its last lines:\n${last.join("\n")}`));
      }, timeoutMs);
      this.#watchers.add(watcher);
      signal?.addEventListener("abort", done);
    });
  }

  #command(): [string, string[]] {
    const command = [process.execPath, this.#cli, "serve", ...(this.#envFile ? ["--env-file", this.#envFile] : [])];
    if (this.#fileLimitKiB === undefined) return [process.execPath, command.slice(1)];
    // A soft limit: `prlimit` can lift it while the process runs. The signal that comes with it would end the process; the error is what is wanted.
    return ["bash", ["-c", `trap '' XFSZ; ulimit -S -f ${this.#fileLimitKiB}; exec "$@"`, "bash", ...command]];
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || !this.#closed) return null;
    child.kill(signal);
    const hard = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    const [code] = await this.#closed;
    clearTimeout(hard);
    return code;
  }

  #heard(text: string): void {
    let line: LogLine;
    try {
      line = JSON.parse(text);
    } catch {
      line = { msg: text };
    }
    this.lines.push(line);
    for (const watcher of [...this.#watchers]) watcher(line);
  }
}
