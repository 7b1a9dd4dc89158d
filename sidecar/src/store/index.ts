import type { Clock } from "../clock.ts";
import { AlertReads, AlertRecords } from "./alert-records.ts";
import { CommandReports } from "./command-reports.ts";
import { CommandWrites } from "./command-writes.ts";
import { Commands } from "./commands.ts";
import { ConsoleAccess } from "./console-access.ts";
import { Counters } from "./counters.ts";
import { type Damage, DamageRecord } from "./damage.ts";
import { openDatabase, openForReading } from "./database.ts";
import { Downtimes } from "./downtimes.ts";
import { EventReports } from "./event-reports.ts";
import { Failures } from "./failures.ts";
import { type Change, Feed } from "./feed.ts";
import { FigureReads, FigureRecords } from "./figures.ts";
import { Files } from "./files.ts";
import { ForgottenKeys } from "./forgotten-keys.ts";
import { GroupCommit } from "./group-commit.ts";
import { Handovers } from "./handovers.ts";
import { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "./limits.ts";
import { type Counts, type Look, readCounts, readLook } from "./look.ts";
import { LostTime } from "./lost-time.ts";
import { Media } from "./media.ts";
import { MessageWrites } from "./message-writes.ts";
import { Messages } from "./messages.ts";
import { Audit } from "./operator/audit.ts";
import { CustomerSearch } from "./operator/customer-search.ts";
import { Erasure } from "./operator/erasure.ts";
import { type OperatorReads, type OperatorStore, operatorReads, operatorWrites } from "./operator/index.ts";
import { Repairs } from "./operator/repairs.ts";
import { Outbound } from "./outbound.ts";
import { type PausedChat, PauseList, Pauses } from "./pauses.ts";
import { ProvenTime } from "./proven-time.ts";
import { Rehearsal } from "./rehearsal.ts";
import { ReportRecorder, type ReportSource } from "./report-recorder.ts";
import { Reports } from "./reports.ts";
import { Retention } from "./retention.ts";
import { Room } from "./room.ts";
import { type Outage, Writability } from "./writability.ts";

export type { AlertReads, AlertRecord, AlertRecords, NoticeRecord } from "./alert-records.ts";
export type { AttemptRow } from "./attempts.ts";
export type { CommandFromResponse, RecordedCommand, SettledState } from "./command-writes.ts";
export type { DoubtfulCommand, NextCommand, Settled, WaitingCommand } from "./commands.ts";
export {
  type ConsoleAccess,
  type ConsoleLink,
  type ConsoleSession,
  IDLE_MS,
  LINK_MS,
  MAX_SESSIONS,
  type Role,
  SESSION_MS,
} from "./console-access.ts";
export type { CounterName } from "./counters.ts";
export type { Damage } from "./damage.ts";
export type { Connection, Downtime, RecordedDowntime } from "./downtimes.ts";
export {
  DAMAGED,
  FileMissingError,
  isDamage,
  RESTORE,
  RowUnreadableError,
  StoreUnusableError,
  StoreUnwritableError,
} from "./errors.ts";
export type { Failure } from "./failures.ts";
export type { Change } from "./feed.ts";
export { beginOf, type Figure, type FigureReads, type FigureRecords, type Step } from "./figures.ts";
export { type Files, type Received, readStoredFile } from "./files.ts";
export type { HandoverEnd } from "./handovers.ts";
export { type Inspection, inspectStore } from "./inspection.ts";
export { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "./limits.ts";
export type { Counts, Look } from "./look.ts";
export { base64Length, type InlinedFile } from "./media.ts";
export type { Accepted } from "./message-writes.ts";
export type { PendingMessage } from "./messages.ts";
export { SCHEMA } from "./migrations/index.ts";
export type { AuditEntry, ReadEntry } from "./operator/audit.ts";
export type { ChatRow, SpokenCommand, SpokenMessage } from "./operator/chat-pages.ts";
export type { CommandFilter, CommandLife, CommandRow, CommandState } from "./operator/command-pages.ts";
export type { Erased, ErasureRequest } from "./operator/erasure.ts";
export type { OperatorReads, OperatorStore, WholeMessage } from "./operator/index.ts";
export type { MessageFilter, MessageRow, MessageState } from "./operator/message-pages.ts";
export type { Page } from "./operator/page.ts";
export type { Repaired, Resolution } from "./operator/repairs.ts";
export { MAX_OUTBOUND_WAITING, type Outbound, type OutboundFromAnswer, type OutboundRules } from "./outbound.ts";
export type { ChatAddress, ChatOrder, Pause, PausedChat } from "./pauses.ts";
export { FileLostError } from "./read-file.ts";
export type { Reports, WaitingReport } from "./reports.ts";
export { type Doubted, makeRestored, type RestoreTimes } from "./restored.ts";
export type { Keep } from "./retention.ts";
export { type Progress, type Snapshot, storeBytes, takeSnapshot } from "./snapshot.ts";
export { holdState, type IdleState } from "./swap.ts";
export { addTally, type Durations, emptyTally, type Hop, type Tally } from "./tally.ts";
export type { Outage } from "./writability.ts";

/** Everything the sidecar must not forget, and the only owner of SQL. */
export interface Store {
  messages: Messages;
  commands: Commands;
  pauses: Pauses;
  handovers: Handovers;
  downtimes: Downtimes;
  alerts: AlertRecords;
  figures: FigureRecords;
  /** What Hot Bags is to be told: of its commands, and of the bridge. */
  reports: Reports;
  events: Reports;
  /** What Hot Bags sends without being asked. */
  outbound: Outbound;
  retention: Retention;
  files: Files;
  operator: OperatorStore;
  console: ConsoleAccess;
  /** What somebody sees who looks at it: all of it at one instant. Rejects when it can't be read. */
  look(): Promise<Look>;
  /** A part of it: whoever needs no more does not depend on pages that others need. Rejects when it can't be read. */
  counters(): Promise<Counts["counters"]>;
  failures(): Promise<Counts["failures"]>;
  /** Since when nothing can be written, and why; null while writes are taken. Meanwhile what would have to be written down must not be begun. */
  readonly outage: Outage | null;
  /** Damage that is met now and then; null while none is. */
  readonly damage: Damage | null;
  /** The time that has surely passed, ms: a wait that is to outlive the process is written down by it. See ProvenTime. */
  provenNow(): number;
  /** By how much the wall clock has moved without that time having passed, ms; negative: back. See ProvenTime. */
  readonly clockJumpMs: number;
  /** Tells of the beginning of an outage, and with null of its end. Returns how to stop that. */
  onOutage(listener: (outage: Outage | null) => void): () => void;
  /** Told each time that damage is met. Returns how to stop that. */
  onDamage(listener: () => void): () => void;
  /** Told of all changes of a commit, once it is on disk. Returns how to stop that. */
  onChange(listener: (changes: Change[]) => void): () => void;
  /**
   * Something could not be read. Returns whether only that is at fault; false: an outage has begun, for the next message
   * would fail as well.
   */
  check(error: unknown): boolean;
  /** Goes on with other limits. */
  adopt(limits: MediaLimits): void;
  /** Writes what waits, then closes the database and gives the lock back. */
  close(): void;
}

/** What can be seen of a store without being its owner. */
export interface StoreView {
  counts(): Promise<Counts>;
  alerts: AlertReads;
  figures: FigureReads;
  operator: OperatorReads;
  /** Those that would last if the sidecar ran. */
  pausedChats(): Promise<PausedChat[]>;
  close(): void;
}

/** Looks at the store below `stateDir`, and changes nothing. Throws StoreUnusableError with what to do. */
export function viewStore(stateDir: string, clock: Clock): StoreView {
  const db = openForReading(stateDir);
  const time = new ProvenTime(db, clock);
  const pauses = new PauseList(db);
  const search = new CustomerSearch({ db, clock, forgotten: new ForgottenKeys(db) });
  const counted = { counters: new Counters(db), failures: new Failures(db, clock) };
  return {
    // Somebody may write meanwhile, in another process.
    counts: async () => db.transaction(() => readCounts(counted))(),
    alerts: new AlertReads(db),
    figures: new FigureReads(db),
    operator: operatorReads(db, new Audit(db, clock), search, (provenAt) => provenAt),
    pausedChats: async () => pauses.at(time.now()),
    close: () => db.close(),
  };
}

/** Opens the store below `stateDir`. `onCommit`: see GroupCommit. Throws StoreUnusableError with what to do. */
export function openStore(
  stateDir: string,
  clock: Clock,
  limits: MediaLimits = DEFAULT_MEDIA_LIMITS,
  onCommit?: (durationMs: number) => void,
): Store {
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
  const damage = new DamageRecord(clock);
  const writability = new Writability({ db, clock, damage, rehearse: () => rehearsal.run() });
  const feed = new Feed(db);
  const counters = new Counters(db);
  const forgotten = new ForgottenKeys(db);
  const ofSource = (source: ReportSource) => new ReportRecorder({ db, source, counters, damage, time });
  const recorders = {
    command: ofSource(new CommandReports(db, forgotten, clock)),
    event: ofSource(new EventReports(clock)),
  };
  const commit = new GroupCommit(db, writability, feed, counters, { reports: Object.values(recorders), onCommit });
  const failures = new Failures(db, clock);
  const pauses = new Pauses(db, commit, counters, clock, time);
  const commandWrites = new CommandWrites({ db, counters, failures, pauses, forgotten, clock });
  const media = new Media(db, files, limits.inlineBytes);
  const room = new Room(files, media, commit);
  const lostTime = new LostTime(db);
  const messageWrites = new MessageWrites({
    ...{ db, counters, failures, commands: commandWrites, media, forgotten, clock, time, lostTime },
  });
  const messages = new Messages({ db, commit, writes: messageWrites, media, time });
  const commands = new Commands({ db, commit, writes: commandWrites, pauses, time });
  const rehearsal = new Rehearsal({ db, counters, messages, messageWrites, commands, commandWrites, media });
  const audit = new Audit(db, clock);
  const repairs = new Repairs({ db, commit, counters, media, clock, time, audit });
  const erasure = new Erasure({ db, commit, counters, media, files, clock, time, audit, forgotten });
  const downtimes = new Downtimes(db, commit, clock);
  const reports = new Reports({ db, commit, counters, kind: "command", recorder: recorders.command, time });
  const events = new Reports({ db, commit, counters, kind: "event", recorder: recorders.event, time });
  const outbound = new Outbound({
    ...{ db, commit, counters, failures, commands: commandWrites, recorder: recorders.command, clock, time },
  });
  const seen = { counters, failures, messages, commands, pauses, reports, events, outbound, downtimes };
  return {
    messages,
    commands,
    pauses,
    handovers: new Handovers({ db, commit, counters, failures, pauses, clock }),
    downtimes,
    alerts: new AlertRecords(db, commit),
    figures: new FigureRecords(db, commit),
    reports,
    events,
    outbound,
    files,
    look: async () => readLook(seen),
    counters: async () => counters.read(),
    failures: async () => failures.all(),
    operator: {
      ...operatorReads(
        db,
        audit,
        new CustomerSearch({ db, clock, forgotten }),
        (provenAt) => clock.now() + provenAt - time.now(),
      ),
      ...operatorWrites({ repairs, erasure, audit, commit, media, files }),
    },
    console: new ConsoleAccess({ db, commit, clock, time, audit }),
    retention: new Retention({ db, commit, counters, clock, media, files, time }),
    get outage() {
      return writability.outage;
    },
    get damage() {
      return damage.met;
    },
    provenNow: () => time.now(),
    get clockJumpMs() {
      return time.jumpMs;
    },
    onOutage: (listener) => writability.onChange(listener),
    onDamage: (listener) => damage.onMet(listener),
    onChange: (listener) => feed.subscribe(listener),
    check: (error) => writability.check("read", error),
    adopt({ storeBytes, inlineBytes }) {
      files.adopt(storeBytes);
      media.adopt(inlineBytes);
    },
    close() {
      void commit.run("time", () => time.note()).catch(() => {});
      commit.close();
      writability.close();
      close();
    },
  };
}
