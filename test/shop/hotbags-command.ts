import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** The built command. */
export const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));

/** What came of a run of the `hotbags` command. */
export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the built `hotbags` command on a state folder, as a script would: nobody can be asked. */
export function runHotbags(stateDir: string, ...args: string[]): Promise<Ran> {
  return runHotbagsWith({ BRIDGE_STATE_DIR: stateDir }, ...args);
}

/** The same, with an environment of the test's. */
export function runHotbagsWith(environment: Record<string, string>, ...args: string[]): Promise<Ran> {
  return startHotbags(environment, args).ended;
}

/** The same, while it runs: `said` is what it has written beside its answer so far. */
export function startHotbags(environment: Record<string, string>, args: string[]) {
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], TZ: "UTC", ...environment };
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const running = { said: "", ended: end() };
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    running.said += piece;
  });
  return running;

  async function end(): Promise<Ran> {
    const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
    const stdout = await text(child.stdout);
    return { code: await closed, stdout, stderr: running.said };
  }
}
