/** Something that only the operator can put right. */
export interface Alert {
  /** The same each time that this alert is delivered, so that a repetition can be told from a new one. */
  readonly id: string;
  readonly kind: "downtime" | "hot_bags" | "disk" | "database" | "runaway" | "number" | "lock" | "quiet" | "test";
  /** What happened and what to do, in sentences. No customer's text, no number that is not masked. */
  readonly text: string;
  /** More of it, for programs. */
  readonly details: Readonly<Record<string, string | number | null>>;
}

/** What became of one attempt. `why` holds no part of the URL, the command or the alert. */
export type Attempt = { readonly ok: true } | { readonly ok: false; readonly again: boolean; readonly why: string };
