/** One alert. Times by the proven time, ms, unless they say otherwise. */
export interface AlertRecord {
  id: string;
  kind: string;
  subject: string;
  text: string;
  /** JSON. */
  details: string;
  /** Wall-clock ms. */
  since_at: number;
  since: number;
  away_since: number | null;
  told_at: number;
  told_amount: number;
  returns: number;
  is_reopened: 0 | 1;
  /** Wall-clock ms. */
  ended_at: number | null;
  ended: number | null;
}

/** A notice that waits for a channel. */
export interface NoticeRecord {
  channel: string;
  number: number;
  told_at: number;
  /** JSON. */
  notice: string;
}

/** Alerts that were written down. What can't be read is none: the alert is raised anew if it lasts. */
export interface AlertReads {
  /** Those that last, the oldest first. */
  open(): Promise<AlertRecord[]>;

  /** Those that are over, the newest first. */
  past(limit: number): Promise<AlertRecord[]>;
}

/** Alerts, and what is still to be told of them. */
export interface AlertStore extends AlertReads {
  /** In the order in which they were told. */
  notices(): Promise<NoticeRecord[]>;

  /** In one transaction. Rejects when the store can't write. */
  write(alerts: readonly AlertRecord[], notices: readonly NoticeRecord[]): Promise<void>;

  /** The notice does not wait any more. Rejects when the store can't write. */
  done(channel: string, number: number): Promise<void>;
}

/**
 * Who tells of an alert: the owner of that account, the one of all sidecars that leads, or the sidecar of that machine
 * itself.
 */
export type Teller = { readonly account: string } | "fleet" | "machine";

/**
 * What each sidecar sees of what is common to all of them, so that the one that leads can tell of it once. Where the store
 * has one owner there is nobody to tell.
 */
export interface Sightings {
  /** Ours, in place of the last. Rejects when the store can't write. */
  put(seen: string): Promise<void>;
  /** The last of each other sidecar that was heard of in the last `ageMs`. Rejects when they can't be read. */
  others(ageMs: number): Promise<string[]>;
}
