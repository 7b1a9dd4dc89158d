import { type Clock, every, systemTimers, type Timers } from "../../clock.ts";

import { AlertFile } from "../alert-file.ts";
import type { AlertReads, AlertStore, Sightings as SightingsVerbs, Teller } from "../alerts.ts";
import type { Change } from "../changes.ts";
import { DamageRecord } from "../damage.ts";
import { isDamage } from "../errors.ts";
import { Files } from "../files.ts";
import { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "../limits.ts";
import type { CountsOf, Look } from "../look.ts";
import type { OperatorStore } from "../operator.ts";
import type { Damage, Outage } from "../outage.ts";
import { AlertRecords, AlertsOf, AllAlerts } from "./alert-records.ts";
import { Availability } from "./availability.ts";
import { Batches } from "./batches.ts";
import { Commands } from "./commands.ts";
import { Connection, type ConnectionOptions, type Queries } from "./connection.ts";
import { ConsoleAccess } from "./console-access.ts";
import type { TwoGatewaysError } from "./contests.ts";
import { Counters } from "./counters.ts";
import { Downtimes } from "./downtimes.ts";
import { Failures } from "./failures.ts";
import { isCollision } from "./faults.ts";
import { FigureReads, FigureRecords } from "./figures.ts";
import { Handovers } from "./handovers.ts";
import { KeptFiles } from "./kept-files.ts";
import { FLEET, TTL_MS } from "./lease.ts";
import { Leases } from "./leases.ts";
import { readCountsByAccount, readLook } from "./look.ts";
import { Messages } from "./messages.ts";
import { migrate } from "./migrate.ts";
import { migrations as all, type Migration } from "./migrations/index.ts";
import { refuseMoved } from "./moves.ts";
import { operatorOf } from "./operator.ts";
import { Outbound } from "./outbound.ts";
import { type Owner, readOwners } from "./owners.ts";
import { accountName, Ownership } from "./ownership.ts";
import { Pauses } from "./pauses.ts";
import { probe } from "./probe.ts";
import { ProvenTime } from "./proven-time.ts";
import { Reader } from "./reader.ts";
import { rehearse } from "./rehearsal.ts";
import { Reports } from "./report-lanes.ts";
import type { ReportKind } from "./reports.ts";
import { Retention } from "./retention.ts";
import { LastSeen } from "./rewound.ts";
import { Room } from "./room.ts";
import { SchemaWatch, type Unfit } from "./schema.ts";
import { Sightings } from "./sightings.ts";
import { unusable } from "./unusable.ts";

const RENEW_MS = 5_000;
const ASK_MS = 2_000;

/** How often it is written down how far the proven time is: after a crash it goes on from there. */
const NOTE_MS = 60_000;

/** One for what is written, one for the leases: neither may wait behind what is read. */
const WRITERS = 2;

/** A migration of many rows takes as long as it takes. */
const MIGRATION_MS = 3_600_000;

export interface PostgresStoreOptions extends ConnectionOptions {
  /** Names this sidecar for people. */
  owner: string;
  /** Those that it stands beside from the beginning; see `want`. */
  accounts: readonly string[];
  clock: Clock;
  timers?: Timers;
  /** Attachments lie below it. */
  stateDir: string;
  limits?: MediaLimits;
  leaseMs?: { ttl: number; renew: number; ask: number };
  /** Told once of each account that two gateways have. */
  onContested?: (error: TwoGatewaysError) => void;
  /** Told how long each transaction took, ms. */
  onCommit?: (durationMs: number) => void;
  /** Those of this release. */
  migrations?: readonly Migration[];
}

/** What of the store is in PostgreSQL so far, with the verbs of the embedded one. */
export interface PostgresStore {
  messages: Messages;
  commands: Commands;
  handovers: Handovers;
  pauses: Pauses;
  downtimes: Downtimes;
  /** All that the database has, and this machine's. */
  alerts: AlertReads;
  /** Where alerts of that teller are written down, the same object each time: here, or in this machine's state folder. */
  alertsOf(teller: Teller): AlertStore;
  sightings: SightingsVerbs;
  /** What passed, of all accounts that there are; and what passes of one that is ours. */
  figures: FigureReads;
  figuresOf(account: string): FigureRecords;
  /** What somebody sees who looks at it: all of it at one instant. Rejects when it can't be read. */
  look(): Promise<Look>;
  /** See the embedded store: over the accounts that are ours. Rejects when it can't be read. */
  counters(): ReturnType<Counters["read"]>;
  failures(): ReturnType<Failures["all"]>;
  /** Both of each account that is ours. Rejects when they can't be read. */
  countsByAccount(): Promise<readonly CountsOf[]>;
  /** What was counted of an account when it became ours; null: that could not be read. */
  countsWhenOwned(account: string): CountsOf | null;
  /** What Hot Bags is to be told: of its commands, and of the bridge. */
  reports: Reports;
  events: Reports;
  /** What Hot Bags sends without being asked. */
  outbound: Outbound;
  retention: Retention;
  operator: OperatorStore;
  console: ConsoleAccess;
  /** The attachments that this sidecar has, on its own disk. */
  files: Files;
  /** Since when nothing can be written, and why; null while writes are taken. */
  readonly outage: Outage | null;
  /** Damage that is met now and then; null while none is. */
  readonly damage: Damage | null;
  /** Told each time that damage is met. Returns how to stop that. */
  onDamage(listener: () => void): () => void;
  onOutage(listener: (outage: Outage | null) => void): () => void;
  /** See Ownership, also of those that follow. */
  want: Ownership["want"];
  onOwned: Ownership["onOwned"];
  onBeside: Ownership["onBeside"];
  onLeaving: Ownership["onLeaving"];
  onTouched: Ownership["onTouched"];
  onLeads: Ownership["onLeads"];
  onLost: Ownership["onLost"];
  /** Those that are ours. */
  readonly accounts: readonly string[];
  /** All that anybody ever stood beside, with these of our own gateway. */
  knownAccounts(ofGateway: Iterable<string>): Promise<ReadonlySet<string>>;
  /** Whether this is one of them. */
  owns(account: string): boolean;
  /** Whether it is any sidecar's. Rejects when that can't be read. */
  isOwned(account: string): Promise<boolean>;
  /** See Store. */
  onOutdated(listener: (error: Unfit) => void): () => void;
  /** Accounts that two gateways have: only the operator can change that. */
  readonly contested: readonly TwoGatewaysError[];
  /** Whether this sidecar does what is done once for all of them: it reads the outbox, for one. */
  readonly leads: boolean;
  /** Who owns which account, of all sidecars. */
  owners(): Promise<Owner[]>;
  /** Told of all changes of a transaction, once it is committed. Returns how to stop that. */
  onChange(listener: (changes: Change[]) => void): () => void;
  /** Something could not be read. Returns whether only that is at fault; false: an outage has begun. */
  check(error: unknown): boolean;
  provenNow(): number;
  readonly clockJumpMs: number;
  /** Goes on with other limits. */
  adopt(limits: MediaLimits): void;
  /** Writes what waits, then gives the accounts back and closes the connections. */
  close(): Promise<void>;
}

/**
 * Opens the store in a PostgreSQL, makes its tables if need be, and asks for the accounts. Rejects with StoreUnusableError
 * with what to do; with another error where one is no account's name.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  for (const account of options.accounts) accountName(account);
  await prepare(options);
  const reader = new Connection(options);
  const writer = new Connection({ ...options, connections: WRITERS });
  try {
    return await open(reader, writer, options);
  } catch (error) {
    await Promise.all([reader.close(), writer.close()]);
    throw unusable(error);
  }
}

async function prepare({ url, migrations }: PostgresStoreOptions): Promise<void> {
  const patient = new Connection({ url, connections: 1, answerMs: MIGRATION_MS });
  try {
    await migrate(patient, migrations);
    await refuseMoved(patient);
  } catch (error) {
    throw unusable(error);
  } finally {
    await patient.close();
  }
}

async function open(readable: Connection, writer: Connection, options: PostgresStoreOptions): Promise<PostgresStore> {
  const { owner, clock, timers = systemTimers, limits = DEFAULT_MEDIA_LIMITS } = options;
  const { length: release } = options.migrations ?? all;
  const { ttl, renew, ask } = options.leaseMs ?? { ttl: TTL_MS, renew: RENEW_MS, ask: ASK_MS };
  const time = await ProvenTime.read(writer, clock, new LastSeen(options.stateDir, options.url));
  const reader: Reader = new Reader(readable, () => availability.outage);
  let { inlineBytes } = limits;
  const kept = new KeptFiles({ db: readable, inlineBytes: () => inlineBytes });
  const files = new Files(options.stateDir, limits.storeBytes, time, (bytes) => room.make(bytes), kept);
  const wanted = new Set<ReportKind>();
  const damage = new DamageRecord(clock);
  const availability = new Availability({
    ...{ clock, timers, damage },
    async probe(cause) {
      await schema.look();
      await probe(writer, cause);
      if (isDamage(cause))
        await rehearse({ connection: writer, ownership, clock, time, release, wanted: () => wanted });
    },
  });
  const leases = new Leases({ connection: writer, owner, ttlMs: ttl, uptimeMs: () => clock.uptimeMs(), release });
  const schema = new SchemaWatch({ db: writer, release, seenAt: () => time.seenAt, timers, everyMs: ask });
  // Nothing is begun any more, and what can't be written is kept where it is.
  schema.onOutdated((error) => {
    ownership.retire();
    availability.check("schema", error);
  });
  // What another transaction was in the way of is tried again by the next timer.
  const failed = (error: unknown) => isCollision(error) || availability.check("lease", error);
  const whenOwned = new Map<string, CountsOf>();
  const ownership = new Ownership({
    async before(taken) {
      for (const account of taken) whenOwned.delete(account);
      const counted = { counters: new Counters(reader, () => taken), failures: new Failures(reader, () => taken) };
      const counts = await readCountsByAccount(counted).catch(() => []);
      for (const its of counts) whenOwned.set(its.account, its);
    },
    ...{ leases, timers, owner, renewMs: renew, askMs: ask, failed, contested: options.onContested },
    accounts: [...options.accounts, FLEET],
  });
  const batches = new Batches({
    ...{ connection: writer, ownership, availability, clock, time, release },
    wanted: () => wanted,
    onCommit: options.onCommit,
  });
  const accounts = () => ownership.accounts;
  const beside = () => ownership.besideOurs;
  const partsOn = (db: Queries) => {
    const common = { db, batches, time, accounts, files, kept };
    const reportsOf = (kind: ReportKind) =>
      new Reports({ ...common, kind, turn: (on) => (on ? wanted.add(kind) : wanted.delete(kind)) });
    return {
      messages: new Messages({ ...common, ownership, inlineBytes: () => inlineBytes }),
      commands: new Commands({ ...common, ownership }),
      handovers: new Handovers({ ...common, accounts: beside }),
      pauses: new Pauses(common),
      downtimes: new Downtimes(common),
      counters: new Counters(db, accounts),
      failures: new Failures(db, accounts),
      reports: reportsOf("command"),
      events: reportsOf("event"),
      outbound: new Outbound(common),
      retention: new Retention(common),
      operator: operatorOf({ ...common, clock, ttlMs: ttl }),
      console: new ConsoleAccess({ ...common, clock }),
    };
  };
  const room = new Room({ db: reader, batches, accounts, files });
  const { counters, failures, ...parts } = partsOn(reader);
  const alertsOf = remembered((account) => new AlertRecords({ db: reader, batches, account }));
  const machine = new AlertFile(options.stateDir);
  const note = () => time.note().catch((error: unknown) => availability.check("time", error));
  await note();
  const noteNoMore = every(timers, NOTE_MS, () => void note());
  // A lease may have run out meanwhile: until it is renewed nothing of its account can be sent.
  availability.onChange((outage) => {
    if (outage === null) void ownership.renew();
  });
  await ownership.start();
  // What can't be brought there now is by the next sweep, which says why it can't.
  ownership.onOwned((account) => void parts.retention.keepWaiting([account]).catch(() => {}));
  return {
    ...parts,
    alerts: new AlertsOf([new AllAlerts(reader), machine]),
    alertsOf: (teller) => (teller === "machine" ? machine : alertsOf(teller === "fleet" ? FLEET : teller.account)),
    sightings: new Sightings(reader, writer),
    figures: new FigureReads(reader, null),
    figuresOf: remembered((account) => new FigureRecords(reader, batches, account)),
    look: () => reader.snapshot((tx) => readLook(partsOn(tx))),
    counters: () => counters.read(),
    failures: () => failures.all(),
    countsWhenOwned: (account) => whenOwned.get(account) ?? null,
    countsByAccount: () => reader.snapshot((tx) => readCountsByAccount(partsOn(tx))),
    files,
    get accounts() {
      return accounts().filter((account) => account !== FLEET);
    },
    knownAccounts: async (ofGateway) => new Set([...(await leases.accounts()), ...ofGateway]),
    owns: (account) => ownership.owns(account),
    async isOwned(account) {
      const alive =
        "SELECT 1 FROM leases WHERE account_id = $1 AND owner IS NOT NULL AND expires_at > clock_timestamp()";
      return (await reader.rows(alive, account)).length > 0;
    },
    get leads() {
      return accounts().includes(FLEET);
    },
    get outage() {
      return availability.outage;
    },
    onOutage: (listener) => availability.onChange(listener),
    get damage() {
      return damage.met;
    },
    onDamage: (listener) => damage.onMet(listener),
    want: (account, how) => ownership.want(account, how),
    onOwned: (listener) => ownership.onOwned(listener),
    onBeside: (listener) => ownership.onBeside(listener),
    onLeaving: (listener) => ownership.onLeaving(listener),
    onTouched: (listener) => ownership.onTouched(listener),
    onLeads: (listener) => ownership.onLeads(listener),
    onLost: (listener) => ownership.onLost(listener),
    get contested() {
      return ownership.contested;
    },
    owners: () => readOwners(reader, ttl),
    onOutdated: (listener) => schema.onOutdated(listener),
    onChange: (listener) => batches.onChange(listener),
    check: (error) => availability.check("read", error),
    provenNow: () => time.now(),
    get clockJumpMs() {
      return time.jumpMs;
    },
    adopt(to) {
      files.adopt(to.storeBytes);
      inlineBytes = to.inlineBytes;
    },
    async close() {
      await batches.close();
      availability.close();
      schema.stop();
      noteNoMore();
      if (!schema.isOutdated) await note();
      await ownership.close();
      await Promise.all([readable.close(), writer.close()]);
    },
  };
}

/** One of each account, the same each time. */
function remembered<T>(make: (account: string) => T): (account: string) => T {
  const made = new Map<string, T>();
  return (account) => {
    const known = made.get(account) ?? make(account);
    made.set(account, known);
    return known;
  };
}
