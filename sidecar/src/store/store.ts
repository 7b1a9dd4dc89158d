import type { AlertReads, AlertStore, Sightings, Teller } from "./alerts.ts";
import type { Change } from "./changes.ts";
import type { CommandStore } from "./commands.ts";
import type { ConsoleStore } from "./console.ts";
import type { DowntimeStore } from "./downtimes.ts";
import type { StoreUnusableError } from "./errors.ts";
import type { FigureReads, FigureStore } from "./figures.ts";
import type { Files } from "./files.ts";
import type { HandoverStore } from "./handovers.ts";
import type { MediaLimits } from "./limits.ts";
import type { Counts, CountsOf, Look } from "./look.ts";
import type { MessageStore } from "./messages.ts";
import type { OperatorReads, OperatorStore } from "./operator.ts";
import type { Damage, Outage } from "./outage.ts";
import type { OutboundStore } from "./outbound.ts";
import type { PausedChat, PauseStore } from "./pauses.ts";
import type { ReportStore } from "./reports.ts";
import type { RetentionStore } from "./retention.ts";

/** Everything the sidecar must not forget, and the only owner of SQL. */
export interface Store {
  messages: MessageStore;
  commands: CommandStore;
  pauses: PauseStore;
  handovers: HandoverStore;
  downtimes: DowntimeStore;
  /** All that were written down, whoever tells of them. */
  alerts: AlertReads;
  /** Where alerts of that teller are written down: the same object each time, and one for all where the store has one owner. */
  alertsOf(teller: Teller): AlertStore;
  sightings: Sightings;
  /** What passed, of all accounts. */
  figures: FigureReads;
  /** Where what passes of an account is written down: the same object each time, and one for all where the store has one owner. */
  figuresOf(account: string): FigureStore;
  /** What Hot Bags is to be told: of its commands, and of the bridge. */
  reports: ReportStore;
  events: ReportStore;
  /** What Hot Bags sends without being asked. */
  outbound: OutboundStore;
  retention: RetentionStore;
  files: Files;
  operator: OperatorStore;
  console: ConsoleStore;
  /** What somebody sees who looks at it: all of it at one instant. Rejects when it can't be read. */
  look(): Promise<Look>;
  /** A part of it: whoever needs no more does not depend on pages that others need. Rejects when it can't be read. */
  counters(): Promise<Counts["counters"]>;
  failures(): Promise<Counts["failures"]>;
  /** Both of each account that is ours; where the store has one owner, of "" for all. Rejects when they can't be read. */
  countsByAccount(): Promise<readonly CountsOf[]>;
  /** What was counted of an account when it became ours; null: it was from the beginning, or that could not be read. */
  countsWhenOwned(account: string): CountsOf | null;
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
  /**
   * Told of each account that becomes this process's to work on, and at once of those that are: what waits of it is to be taken
   * up. Tells of none where the store has one owner. Returns how to stop that.
   */
  onOwned(listener: (account: string) => void): () => void;
  /**
   * Told of each of those that our own gateway has, and at once of those that are: what waits to be sent of it can be. Without
   * that, reads give nothing that is to be sent, and no send is begun.
   */
  onBeside(listener: (account: string) => void): () => void;
  /** Told of each account that is another process's from now on: reads give nothing of it, and writes reject with NotOwnedError. */
  onLost(listener: (account: string) => void): () => void;
  /**
   * Told of each account that is to be given back to the process that stands beside it, and waited for, not for long: what is
   * under way of it is to end, and nothing of it may be begun. Returns how to stop that.
   */
  onLeaving(listener: (account: string) => Promise<void>): () => void;
  /** Our own gateway has the account, or has it no more: what is to be sent of it can be sent here only. Throws where that is no account's name. */
  want(account: string, how: { beside: boolean }): void;
  /**
   * Told of each account of ours of which another process has written something, as an operator's or the one's that leads: there
   * may be work. Returns how to stop that.
   */
  onTouched(listener: (account: string) => void): () => void;
  /** Whether this process does what is done once for all accounts, such as to read the outbox. */
  readonly leads: boolean;
  /** Told when that begins or ends. Returns how to stop that. */
  onLeads(listener: (leads: boolean) => void): () => void;
  /** The accounts of all gateways that work on this store; those of our own are told. Rejects when it can't be read. */
  knownAccounts(ofGateway: Iterable<string>): Promise<ReadonlySet<string>>;
  /** What two gateways have, which only the operator can change. */
  readonly contested: readonly Contested[];
  /** Whether the account is this process's to work on. */
  owns(account: string): boolean;
  /** Whether it is any process's. Rejects when that can't be read. */
  isOwned(account: string): Promise<boolean>;
  /**
   * Told once where a newer release has made of the store what this one can't go on with: it is to end, since it can write no
   * more. The error says what to do. Returns how to stop that.
   */
  onOutdated(listener: (error: StoreUnusableError) => void): () => void;
  /** Told of all changes of a commit, once it is on disk. Returns how to stop that. */
  onChange(listener: (changes: Change[]) => void): () => void;
  /**
   * Something could not be read. Returns whether only that is at fault; false: an outage has begun, for the next message
   * would fail as well.
   */
  check(error: unknown): boolean;
  /** Goes on with other limits. */
  adopt(limits: MediaLimits): void;
  /** Writes what waits, gives back what others may take over, and closes the database. */
  close(): Promise<void>;
}

/** An account that two gateways have. */
export interface Contested {
  account: string;
  /** Who has it, and what to do. */
  message: string;
}

/** What is shared by all who work on one store: all but what a process has of its own. */
export type SharedStore = Omit<
  Store,
  "alerts" | "alertsOf" | "sightings" | "figures" | "figuresOf" | "countsByAccount" | "countsWhenOwned" | "close"
>;

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
