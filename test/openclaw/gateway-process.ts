import { type ChildProcess, spawn } from "node:child_process";
import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import type { LogTail } from "./log-tail.ts";
import { OPENCLAW } from "./places.ts";
import { killStragglers } from "./stragglers.ts";

/** The diagnostics channel that tells of each start. */
export const GATEWAY_STARTS = "hotbags:gateway-start";
const starts = channel(GATEWAY_STARTS);

/** After SIGTERM a gateway is given this long, ms. An idle one takes 1 s; one with a hook that hangs would take 315 s. */
const STOP_PATIENCE_MS = 20_000;

/** What a gateway says when plugins are loaded, HTTP is up and channels were told to start. */
const READY = /\[gateway\] ready$/;
/** What the WhatsApp plugin says when it is connected and has attached its listener, at every connect. */
const LISTENING = /\[whatsapp\] Listening for WhatsApp inbound messages/;
/** What a gateway says when it gives up. It then looks for the cause for up to a minute before it ends. */
const FAILED = /Gateway failed to start/;

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

/** One run of `openclaw gateway`, leader of a process group of its own. */
export type GatewayProcess = {
  readonly pid: number;
  /** Resolves when it has ended, and its helpers with it. */
  readonly exit: Promise<Exit>;
  /** Resolves when it is up. Rejects with its last lines when it ended, failed, or took longer than `timeoutMs`. */
  ready(timeoutMs: number): Promise<void>;
  /** Resolves when it takes WhatsApp messages for the first time; rejects like `ready`. */
  listening(timeoutMs: number): Promise<void>;
  /** SIGTERM; resolves when it has ended, at the latest after 20 s with SIGKILL. */
  stop(): Promise<Exit>;
  /** SIGKILL for it and its helpers; resolves when they have ended. */
  kill(): Promise<Exit>;
};

/** Starts a gateway in its folder and this environment. @throws Error if there is no such program. */
export function runGateway(root: string, env: Record<string, string>, log: LogTail): GatewayProcess {
  const lines = { ready: log.next(READY), listening: log.next(LISTENING), failed: log.next(FAILED) };
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", OPENCLAW, "gateway"], {
    cwd: root,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`could not start ${process.execPath} ${OPENCLAW}`);
  starts.publish(pid);
  log.follow(child.stdout);
  log.follow(child.stderr);
  const exit = once(child, "exit").then(async ([code, signal]): Promise<Exit> => {
    signalGroup(pid, "SIGKILL");
    await killStragglers(root);
    for (const { stop } of Object.values(lines)) stop();
    return { code, signal };
  });

  const said = async (what: "ready" | "listening", timeoutMs: number): Promise<void> => {
    const timer = timeout(timeoutMs);
    const trouble = await Promise.race([
      lines[what].line.then(() => undefined),
      lines.failed.line,
      exit.then(({ code, signal }) => `it ended with ${signal ?? `code ${code}`}`),
      timer.elapsed.then(() => `not within ${timeoutMs} ms`),
    ]);
    timer.clear();
    if (trouble !== undefined) throw new Error(`the gateway is not ${what}: ${trouble}\n${log.show()}`);
  };

  return {
    pid,
    exit,
    ready: (timeoutMs) => said("ready", timeoutMs),
    listening: (timeoutMs) => said("listening", timeoutMs),
    async stop() {
      if (isRunning(child)) child.kill("SIGTERM");
      const timer = timeout(STOP_PATIENCE_MS);
      await Promise.race([exit, timer.elapsed]);
      timer.clear();
      signalGroup(pid, "SIGKILL");
      return exit;
    },
    async kill() {
      if (isRunning(child)) signalGroup(pid, "SIGKILL");
      return exit;
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    // Nobody is left in it.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function timeout(ms: number): { elapsed: Promise<void>; clear(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return { elapsed: promise, clear: () => clearTimeout(timer) };
}
