import type { Clock } from "../../clock.ts";
import { DamageRecord } from "../damage.ts";
import { Files } from "../files.ts";
import { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "../limits.ts";
import type { Store, StoreView } from "../store.ts";
import { AlertReads, AlertRecords } from "./alert-records.ts";
import { CommandReports } from "./command-reports.ts";
import { CommandWrites } from "./command-writes.ts";
import { Commands } from "./commands.ts";
import { ConsoleAccess } from "./console-access.ts";
import { Counters } from "./counters.ts";
import { openDatabase, openForReading } from "./database.ts";
import { Downtimes } from "./downtimes.ts";
import { EventReports } from "./event-reports.ts";
import { Failures } from "./failures.ts";
import { Feed } from "./feed.ts";
import { FigureReads, FigureRecords } from "./figures.ts";
import { ForgottenKeys } from "./forgotten-keys.ts";
import { GroupCommit } from "./group-commit.ts";
import { Handovers } from "./handovers.ts";
import { readCounts, readLook } from "./look.ts";
import { LostTime } from "./lost-time.ts";
import { Media } from "./media.ts";
import { MessageWrites } from "./message-writes.ts";
import { Messages } from "./messages.ts";
import { Audit } from "./operator/audit.ts";
import { CustomerSearch } from "./operator/customer-search.ts";
import { Erasure } from "./operator/erasure.ts";
import { operatorReads, operatorWrites } from "./operator/index.ts";
import { Repairs } from "./operator/repairs.ts";
import { Outbound } from "./outbound.ts";
import { PauseList, Pauses } from "./pauses.ts";
import { ProvenTime } from "./proven-time.ts";
import { Rehearsal } from "./rehearsal.ts";
import { ReportRecorder, type ReportSource } from "./report-recorder.ts";
import { Reports } from "./reports.ts";
import { Retention } from "./retention.ts";
import { Room } from "./room.ts";
import { Writability } from "./writability.ts";
import { WrittenMessages } from "./written.ts";

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
  const written = new WrittenMessages(db);
  const commandWrites = new CommandWrites({ db, counters, failures, pauses, forgotten, clock, written });
  const media = new Media(db, files, limits.inlineBytes);
  const room = new Room(files, media, commit);
  const lostTime = new LostTime(db);
  const messageWrites = new MessageWrites({
    ...{ db, counters, failures, commands: commandWrites, media, forgotten, clock, time, lostTime },
  });
  const messages = new Messages({ db, commit, writes: messageWrites, media, time });
  const commands = new Commands({ db, commit, writes: commandWrites, pauses, time, written });
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
  const alerts = new AlertRecords(db, commit);
  const figures = new FigureRecords(db, commit);
  return {
    messages,
    commands,
    pauses,
    handovers: new Handovers({ db, commit, counters, failures, pauses, clock }),
    downtimes,
    alerts,
    alertsOf: () => alerts,
    sightings: { put: async () => {}, others: async () => [] },
    figures,
    figuresOf: () => figures,
    reports,
    events,
    outbound,
    files,
    look: async () => readLook(seen),
    counters: async () => counters.read(),
    failures: async () => failures.all(),
    countsWhenOwned: () => null,
    countsByAccount: async () => [{ account: "", ...readCounts(seen) }],
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
    // Whoever has the lock owns all of it until the end.
    onOwned: () => () => {},
    onBeside: () => () => {},
    onLost: () => () => {},
    onLeaving: () => () => {},
    onTouched: () => () => {},
    onLeads: () => () => {},
    knownAccounts: async (ofGateway) => new Set(ofGateway),
    owns: () => true,
    isOwned: async () => true,
    want: () => {},
    leads: true,
    contested: [],
    onOutdated: () => () => {},
    onChange: (listener) => feed.subscribe(listener),
    check: (error) => writability.check("read", error),
    adopt({ storeBytes, inlineBytes }) {
      files.adopt(storeBytes);
      media.adopt(inlineBytes);
    },
    async close() {
      void commit.run("time", () => time.note()).catch(() => {});
      commit.close();
      writability.close();
      close();
    },
  };
}
