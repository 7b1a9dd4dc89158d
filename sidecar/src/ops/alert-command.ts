import { spawn } from "node:child_process";
import { codeOf } from "@hotbags/shared";
import type { Alert, Attempt } from "./alerts.ts";

/** All that the command's environment takes over: none of the sidecar's secrets. */
const PASSED_ON = ["PATH", "HOME", "LANG", "TZ"];

/**
 * Runs the operator's command with the alert's text on its standard input, never among its arguments, where other users of the
 * machine could read it. By `sh -c`, so that a setting such as `mail -s "Hot Bags" me@example.com` is enough. What it prints is dropped.
 * When the signal says so, it is killed with everything it has started.
 */
export function runCommand(command: string, { text }: Alert, signal: AbortSignal): Promise<Attempt> {
  return new Promise((resolve) => {
    const env = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
    const child = spawn("/bin/sh", ["-c", command], {
      env,
      cwd: "/",
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    const kill = () => killGroup(child.pid);
    const end = (attempt: Attempt) => {
      signal.removeEventListener("abort", kill);
      resolve(attempt);
    };
    child.on("error", (error) => end({ ok: false, again: true, why: codeOf(error) || "it failed" }));
    child.on("exit", (code, killedBy) => {
      if (code === 0) return end({ ok: true });
      const why = signal.aborted ? "it took too long" : `it ended with ${killedBy ?? `code ${code}`}`;
      end({ ok: false, again: true, why });
    });
    // A command that reads no input is none the worse for it.
    child.stdin.on("error", () => {});
    child.stdin.end(`${text}\n`);
    signal.addEventListener("abort", kill);
    if (signal.aborted) kill();
  });
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    // It has just ended.
    if (codeOf(error) !== "ESRCH") throw error;
  }
}
