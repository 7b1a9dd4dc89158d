import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Ran } from "../shop/hotbags-command.ts";

const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));

function start(env: Record<string, string>, args: string[]): ChildProcess {
  const all = { PATH: process.env["PATH"], HOME: process.env["HOME"], TZ: "UTC", ...env };
  return spawn(process.execPath, [CLI, "contract", ...args], { env: all, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs the built `hotbags contract …` with these settings. */
export async function runContract(env: Record<string, string>, ...args: string[]): Promise<Ran> {
  const child = start(env, args);
  const ended = once(child, "close");
  if (!child.stdout || !child.stderr) throw new Error("it has no output");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await ended;
  return { code, stdout, stderr };
}

/** `hotbags contract mock`, as it was built. */
export interface RunningMock {
  url: string;
  /** What it has printed so far. */
  lines(): string;
  /** And beside that. */
  said(): string;
  /** Ends it as Ctrl-C does, and resolves with its exit code. */
  stop(): Promise<number>;
}

/** Resolves when it listens. */
export async function startMockCommand(
  env: Record<string, string>,
  port: number,
  ...args: string[]
): Promise<RunningMock> {
  const child = start(env, ["mock", "--port", String(port), ...args]);
  const ended = once(child, "close");
  let said = "";
  let lines = "";
  child.stdout?.on("data", (chunk) => {
    lines += chunk;
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk) => {
      said += chunk;
      if (said.includes("What came is shown at")) resolve();
    });
    child.on("close", (code) => reject(new Error(`the mock ended with ${code}: ${said}`)));
  });
  await ready;
  return {
    url: `http://127.0.0.1:${port}`,
    lines: () => lines,
    said: () => said,
    async stop() {
      child.kill("SIGINT");
      const [code] = await ended;
      return code;
    },
  };
}
