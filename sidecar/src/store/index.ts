import type { Clock } from "../clock.ts";
import { Commands } from "./commands.ts";
import { Counters } from "./counters.ts";
import { openDatabase } from "./database.ts";
import { GroupCommit } from "./group-commit.ts";
import { Messages } from "./messages.ts";
import { Retention } from "./retention.ts";

export type { CommandFromResponse, RecordedCommand, SettledState, WaitingCommand } from "./commands.ts";
export type { CounterName } from "./counters.ts";
export { StoreUnusableError } from "./errors.ts";
export type { Accepted, PendingMessage } from "./messages.ts";

/** Everything the sidecar must not forget, and the only owner of SQL. */
export interface Store {
  messages: Messages;
  commands: Commands;
  counters: Counters;
  retention: Retention;
  /** Why the last write failed (a full disk, a damaged file); null when the last one went well. */
  readonly failure: string | null;
  /** Writes what waits, then closes the database and gives the lock back. */
  close(): void;
}

/** Opens the store below `stateDir`. Throws StoreUnusableError with what to do. */
export function openStore(stateDir: string, clock: Clock): Store {
  const { db, close } = openDatabase(stateDir);
  const commit = new GroupCommit(db);
  const counters = new Counters(db);
  const commands = new Commands(db, commit, counters, clock);
  const messages = new Messages(db, commit, counters, commands, clock);
  return {
    messages,
    commands,
    counters,
    retention: new Retention(db, commit, clock),
    get failure() {
      return commit.failure;
    },
    close() {
      commit.close();
      close();
    },
  };
}
