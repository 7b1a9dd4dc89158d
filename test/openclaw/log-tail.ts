import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** Lines kept. A gateway says about 50 in a start and a few per message. */
const KEPT_LINES = 5_000;
const SHOWN_LINES = 40;

type Watcher = { pattern: RegExp; resolve: (line: string) => void };

/** What a process says, line by line: its last lines, and waiting for one. */
export type LogTail = {
  readonly lines: readonly string[];
  /** Takes a stream in, to its end. */
  follow(stream: Readable): void;
  /** Calls the listener with each line from now on. Returns how to stop that. */
  onLine(listener: (line: string) => void): () => void;
  /** Resolves with the next line that matches. Never rejects; `stop` forgets it. */
  next(pattern: RegExp): { line: Promise<string>; stop(): void };
  /** The last lines, for an error. */
  show(): string;
};

export function createLogTail(): LogTail {
  const lines: string[] = [];
  const watchers = new Set<Watcher>();
  const listeners = new Set<(line: string) => void>();
  const hear = (line: string): void => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    for (const listener of listeners) listener(line);
    for (const watcher of watchers) {
      if (!watcher.pattern.test(line)) continue;
      watchers.delete(watcher);
      watcher.resolve(line);
    }
  };
  return {
    lines,
    follow(stream) {
      createInterface({ input: stream }).on("line", hear);
    },
    onLine(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    next(pattern) {
      const { promise, resolve } = Promise.withResolvers<string>();
      const watcher = { pattern, resolve };
      watchers.add(watcher);
      return { line: promise, stop: () => void watchers.delete(watcher) };
    },
    show: () => lines.slice(-SHOWN_LINES).join("\n"),
  };
}
