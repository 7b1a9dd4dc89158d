import type { Clock } from "../clock.ts";
import { Commands } from "./commands.ts";
import { Counters } from "./counters.ts";
import { openDatabase } from "./database.ts";
import { Downtimes } from "./downtimes.ts";
import { Failures } from "./failures.ts";
import { Files } from "./files.ts";
import { GroupCommit } from "./group-commit.ts";
import { Handovers } from "./handovers.ts";
import { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "./limits.ts";
import { Media } from "./media.ts";
import { Messages } from "./messages.ts";
import { ProvenTime } from "./proven-time.ts";
import { Retention } from "./retention.ts";
import { Room } from "./room.ts";
import { type Outage, Writability } from "./writability.ts";

export type {
  CommandFromResponse,
  DoubtfulCommand,
  RecordedCommand,
  SettledState,
  WaitingCommand,
} from "./commands.ts";
export type { CounterName } from "./counters.ts";
export type { Connection, Downtime, RecordedDowntime } from "./downtimes.ts";
export { FileMissingError, isDamage, RowUnreadableError, StoreUnusableError, StoreUnwritableError } from "./errors.ts";
export type { Failure } from "./failures.ts";
export type { Files, Received } from "./files.ts";
export type { HandoverEnd } from "./handovers.ts";
export { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "./limits.ts";
export { base64Length, type InlinedFile } from "./media.ts";
export type { Accepted, PendingMessage } from "./messages.ts";
export { FileLostError } from "./read-file.ts";
export type { Outage } from "./writability.ts";

/** Everything the sidecar must not forget, and the only owner of SQL. */
export interface Store {
  messages: Messages;
  commands: Commands;
  counters: Counters;
  failures: Failures;
  handovers: Handovers;
  downtimes: Downtimes;
  retention: Retention;
  files: Files;
  /** Since when nothing can be written, and why; null while writes are taken. Meanwhile what would have to be written down must not be begun. */
  readonly outage: Outage | null;
  /** By how much the wall clock has moved without that time having passed, ms; negative: back. See ProvenTime. */
  readonly clockJumpMs: number;
  /** Tells of the beginning of an outage, and with null of its end. Returns how to stop that. */
  onOutage(listener: (outage: Outage | null) => void): () => void;
  /** Writes what waits, then closes the database and gives the lock back. */
  close(): void;
}

/** Opens the store below `stateDir`. Throws StoreUnusableError with what to do. */
export function openStore(stateDir: string, clock: Clock, limits: MediaLimits = DEFAULT_MEDIA_LIMITS): Store {
  const { db, close } = openDatabase(stateDir);
  let time: ProvenTime;
  let files: Files;
  try {
    time = new ProvenTime(db, clock);
    files = new Files(stateDir, limits.storeBytes, time, (bytes) => room.make(bytes));
  } catch (error) {
    close();
    throw error;
  }
  const writability = new Writability(db, clock);
  const commit = new GroupCommit(db, writability);
  const counters = new Counters(db);
  const failures = new Failures(db, clock);
  const commands = new Commands(db, commit, counters, failures, clock, time);
  const media = new Media(db, files, limits.inlineBytes);
  const room = new Room(files, media, commit);
  const messages = new Messages(db, commit, counters, failures, commands, media, clock, time);
  return {
    messages,
    commands,
    counters,
    failures,
    handovers: new Handovers(db, commit, counters, failures, clock),
    downtimes: new Downtimes(db, commit, clock),
    files,
    retention: new Retention(db, commit, media, files, time),
    get outage() {
      return writability.outage;
    },
    get clockJumpMs() {
      return time.jumpMs;
    },
    onOutage: (listener) => writability.onChange(listener),
    close() {
      void commit.run("time", () => time.note()).catch(() => {});
      commit.close();
      writability.close();
      close();
    },
  };
}
