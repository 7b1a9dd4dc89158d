import { type ChildProcess, spawn } from "node:child_process";
import { codeOf } from "@hotbags/shared";
import type { Attempt, Channel, Notice } from "./notice.ts";

/** All that the command's environment takes over of the sidecar's: none of its secrets. */
const PASSED_ON = ["PATH", "HOME", "LANG", "TZ"];

/** `ALERT_COMMAND`. */
export class AlertCommand implements Channel {
  readonly name = "ALERT_COMMAND";
  readonly #command: string;

  constructor(command: string) {
    this.#command = command;
  }

  send(notice: Notice, signal: AbortSignal): Promise<Attempt> {
    return runCommand(this.#command, notice, signal);
  }

  async close(): Promise<void> {}
}

/**
 * Runs the operator's command with the notice's text on its standard input, never among its arguments, where other users of
 * the machine could read it. By `sh -c`, so that a setting such as `mail -s "$ALERT_TITLE" me@example.com` is enough. What it
 * prints is dropped. When the signal aborts, it is killed with everything it has started. Never rejects.
 */
function runCommand(command: string, notice: Notice, signal: AbortSignal): Promise<Attempt> {
  const { text, kind, state, severity, title } = notice;
  const { promise, resolve } = Promise.withResolvers<Attempt>();
  const failed = (why: string) => resolve({ ok: false, passes: true, why });
  const ours = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
  const env = { ...ours, ALERT_KIND: kind, ALERT_STATE: state, ALERT_SEVERITY: severity, ALERT_TITLE: title };
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
