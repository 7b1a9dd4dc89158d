import type { Details } from "./notice.ts";
import type { Kind } from "./table.ts";

/** Something that is so now, and that the operator has to know. */
export interface Condition {
  readonly kind: Kind;
  /** Whose or which, where there can be several at a time; else "". No customer's number. */
  readonly subject: string;
  /** Whose it is, where its kind is an account's: its owner tells of it; null: none's, or not known. */
  readonly account: string | null;
  /** What is the case and what to do, in sentences. No customer's text, no number that is not masked. */
  readonly text: string;
  readonly details: Details;
  /** It is told when it has lasted this long, ms. */
  readonly afterMs: number;
  /** How many there are, where they are counted; else 0. */
  readonly amount: number;
}

/** What is so now. Of kinds that are `unknown` nothing can be said: what was so may still be. */
export interface Reading {
  readonly conditions: readonly Condition[];
  readonly unknown: ReadonlySet<Kind>;
  /** Each account that was looked at, with what of it is unknown besides. Nothing can be said of any other one. */
  readonly accounts: ReadonlyMap<string, ReadonlySet<Kind>>;
}

/** Something that has happened, and has no end. */
export interface Happening {
  /** The same each time that it is told of. */
  readonly id: string;
  readonly kind: Kind;
  readonly subject: string;
  /** As that of a condition. */
  readonly account: string | null;
  readonly text: string;
  readonly details: Details;
}
