import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Reads process groups from its standard input, one a line (an empty line: none), and remembers the last. When the input ends, because
 * it was closed or because its owner is dead, it kills that group and removes the folders it was started with.
 */
const SCRIPT = `
group=
while read -r line; do group=$line; done
[ -z "$group" ] || kill -KILL -- "-$group" 2>/dev/null
rm -rf -- "$@" 2>/dev/null || { sleep 1; rm -rf -- "$@"; }
`;

/** Cleans up after this process, even if it is killed. */
export type Caretaker = {
  /** Names the process group to kill when this process ends; undefined: none runs now. */
  watch(processGroup: number | undefined): void;
  /** Kills the group, if one is still named, and removes the folders. */
  cleanUp(): Promise<void>;
};

/**
 * Starts a caretaker for `folders`. It is a shell of its own session, so that a signal to this process's group, such as Ctrl-C, does not
 * end it; the end of a pipe tells it that this process is gone, however it went.
 */
export function startCaretaker(folders: readonly string[]): Caretaker {
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "caretaker", ...folders], {
    detached: true,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["pipe", "ignore", "ignore"],
  });
  const ended = once(shell, "exit");
  // It dies with whoever kills it; then there is nobody to tell.
  shell.stdin.on("error", () => {});
  // It waits for this process, not the other way round.
  shell.unref();
  return {
    watch(processGroup) {
      shell.stdin.write(`${processGroup ?? ""}\n`);
    },
    async cleanUp() {
      shell.stdin.end();
      shell.ref();
      await ended;
    },
  };
}
