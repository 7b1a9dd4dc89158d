import { type ChildProcess, spawn } from "node:child_process";
import { codeOf } from "@hotbags/shared";
import type { Alert, Attempt } from "./alert.ts";

/** All that the command's environment takes over: none of the sidecar's secrets. */
const PASSED_ON = ["PATH", "HOME", "LANG", "TZ"];

/**
 * Runs the operator's command with the alert's text on its standard input, never among its arguments, where other users of
 * the machine could read it. By `sh -c`, so that a setting such as `mail -s "Hot Bags" me@example.com` is enough. What it
 * prints is dropped. When the signal aborts, it is killed with everything it has started. Never rejects.
 */
export function runCommand(command: string, { text }: Alert, signal: AbortSignal): Promise<Attempt> {
  const { promise, resolve } = Promise.withResolvers<Attempt>();
  const failed = (why: string) => resolve({ ok: false, again: true, why });
  const env = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
  let child: ChildProcess;
  try {
    child = spawn("/bin/sh", ["-c", command], { env, cwd: "/", detached: true, stdio: ["pipe", "ignore", "ignore"] });
  } catch (error) {
    failed(codeOf(error) || "it can't be started");
    return promise;
  }
  const kill = () => {
    if (killGroup(child.pid)) return;
    // It became another user's, and may run for as long as it likes: nobody waits for it.
    child.unref();
    failed("it took too long, and can't be killed");
  };
  signal.addEventListener("abort", kill);
  void promise.then(() => signal.removeEventListener("abort", kill));
  child.on("error", (error) => failed(codeOf(error) || "it failed"));
  child.on("exit", (code, killedBy) => {
    if (code === 0) resolve({ ok: true });
    else failed(signal.aborted ? "it took too long" : `it ended with ${killedBy ?? `code ${code}`}`);
  });
  // Out of file descriptors there is a child without a pipe, and `error` comes in a moment.
  // A command that reads no input is none the worse for it.
  child.stdin?.on("error", () => {});
  child.stdin?.end(`${text}\n`);
  if (signal.aborted) kill();
  return promise;
}

/** False when it may not be killed. */
function killGroup(leader: number | undefined): boolean {
  if (leader === undefined) return true;
  try {
    process.kill(-leader, "SIGKILL");
    return true;
  } catch (error) {
    // ESRCH: it has just ended.
    return codeOf(error) === "ESRCH";
  }
}
