import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { MARK } from "./stragglers.ts";

/**
 * Reads process groups from its standard input, one a line (an empty line: none), and remembers the last. When the
 * input ends, because it was closed or because its owner is dead, it kills that group. With a folder as its argument it
 * kills whatever else is marked with it (see stragglers.ts), and removes the folder.
 */
const SCRIPT = `
group=
while read -r line; do group=$line; done
[ -z "$group" ] || kill -s KILL -- "-$group"
[ -n "$1" ] || exit 0
for environ in $(grep -lszxF "${MARK}=$1" /proc/[0-9]*/environ); do
  process=\${environ#/proc/}
  kill -s KILL "\${process%/environ}"
done
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
`;

/** Cleans up after this process, even if it is killed. */
export type Caretaker = {
  /** Names the process group to kill when this process ends; undefined: none runs now. */
  watch(processGroup: number | undefined): void;
  /** Kills what still runs, and removes the folder, if there is one. */
  cleanUp(): Promise<void>;
};

/**
 * Starts a caretaker, of the gateway of this folder if there is one. It is a shell of its own session, so that a signal
 * to this process's group, such as Ctrl-C, does not end it; the end of a pipe tells it that this process is gone,
 * however it went.
 */
export function startCaretaker(root = ""): Caretaker {
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "caretaker", root], {
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

/**
 * Has the child die with this process, however that ends: a child that outlives a killed test keeps its port, its locks
 * and the CPU. It must lead a group of its own (`detached`), which is killed as a whole.
 */
export function takeCareOf(child: ChildProcess): void {
  const caretaker = startCaretaker();
  caretaker.watch(child.pid);
  child.once("exit", () => {
    caretaker.watch(undefined);
    void caretaker.cleanUp();
  });
}
