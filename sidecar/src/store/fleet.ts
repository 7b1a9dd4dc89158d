/** An account that sidecars share a store for: who works on it, and what waits there. */
export interface FleetAccount {
  account_id: string;
  /** The sidecar that works on it, as people call it; null: none does. */
  owner: string | null;
  /** Since when, wall-clock ms; null: nobody ever did. */
  since: number | null;
  /** Whether that sidecar's own gateway has the account. If not, it brings Hot Bags what waits, and sends nothing. */
  is_beside: boolean;
  /** Another sidecar, whose gateway has the account, too, or alone; null: there is none. */
  wanted_by: string | null;
  /** Messages that Hot Bags has not got, and dead letters. */
  waiting: number;
  dead: number;
  /** Replies: in the queue, and of unknown fate. */
  replies_waiting: number;
  replies_in_doubt: number;
}
