import { fileURLToPath } from "node:url";
import { spawn } from "@lydell/node-pty";
import { startCaretaker } from "../openclaw/caretaker.ts";

const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));

export interface Terminal {
  /** All that it has shown, with what colours and moves it. */
  readonly shown: string;
  /** Presses keys. */
  type(keys: string): void;
  /** Resolves with the exit code, once all that was written is shown. */
  readonly ended: Promise<number>;
}

/** Runs the built `hotbags` command on a real terminal, so many columns wide. */
export function onTerminal(columns: number, environment: Record<string, string>, ...args: string[]): Terminal {
  const env = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", TZ: "UTC", ...environment };
  const terminal = spawn(process.execPath, [CLI, ...args], { cols: columns, rows: 40, env });
  // It leads a group of its own, as whatever has a terminal does.
  const caretaker = startCaretaker();
  caretaker.watch(terminal.pid);
  let shown = "";
  terminal.onData((text) => {
    shown += text;
  });
  const ended = new Promise<number>((resolve) => {
    terminal.onExit(({ exitCode }) => {
      caretaker.watch(undefined);
      void caretaker.cleanUp();
      resolve(exitCode);
    });
  });
  return {
    get shown() {
      return shown;
    },
    type: (keys) => terminal.write(keys),
    ended,
  };
}
