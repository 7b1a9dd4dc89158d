import type { CounterName } from "./counters.ts";

/** What a report is about: each kind has a path of its own at Hot Bags. */
export type ReportKind = "command" | "event";

/** Those of one kind that wait, at most: a few MB. The oldest make room. */
export const MAX_REPORTS = 10_000;

/** Where each kind is counted. */
export const COUNTED: Readonly<Record<ReportKind, Readonly<Record<"waiting" | "delivered" | "dropped", CounterName>>>> =
  {
    command: { waiting: "reports_waiting", delivered: "reports_delivered", dropped: "reports_dropped" },
    event: { waiting: "events_waiting", delivered: "events_delivered", dropped: "events_dropped" },
  };

/** A report that waits. Times are proven ones, ms. */
export interface WaitingReport {
  id: number;
  lane: number;
  /** The idempotency key. */
  key: string;
  account_id: string;
  /** The same bytes in each attempt. */
  body: string;
  made_at: number;
  attempts: number;
  next_attempt_at: number;
}

/** What is to be told. Those of one lane are told in their order. */
export interface Rendered {
  lane: number;
  accountId: string;
  body: object;
}

/** What Hot Bags is still to be told, of one kind. Those of one lane are told in their order. */
export interface ReportStore {
  /**
   * Whether somebody wants reports. Of what changes while nobody does none is made, and those that wait are dropped.
   * Resolves with how many; rejects when the store can't be written.
   */
  turn(on: boolean): Promise<number>;

  /** Told of the lanes that have new reports, once they are on disk. Returns how to stop that. */
  onNew(listener: (lanes: number[]) => void): () => void;

  /** Lanes with a report, the oldest first, and when their first one is due. Read once at start. */
  lanes(account?: string): Promise<{ lane: number; next_attempt_at: number }[]>;

  /** The report that is next in a lane. */
  headOf(lane: number): Promise<WaitingReport | undefined>;

  /** Hot Bags has it. */
  delivered(id: number): Promise<void>;

  /** It is given up. */
  drop(id: number): Promise<void>;

  /** Gives all up that were made by this proven time, ms. Resolves with how many. */
  dropOld(by: number): Promise<number>;

  /** Hot Bags refused it: it is tried again at this proven time, ms. */
  refused(id: number, nextAttemptAt: number): Promise<void>;

  /** They can't be written: none is made until the next start. */
  readonly isBroken: boolean;
}
