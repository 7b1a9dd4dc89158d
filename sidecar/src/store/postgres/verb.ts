import type { Writing } from "./writing.ts";

/**
 * Something that is written of messages or commands, for many of them at once. Of one call each: what it writes may be
 * written several times, until the transaction comes through.
 */
export interface Verb<I, O> {
  /** For the crash matrix. */
  readonly name: string;
  /** Which row it is about: no two calls about one are written by one statement, and all of them in their order. */
  keyOf(input: I): string;
  /**
   * Writes them, in their order; returns what becomes of each. Throws RefusedError where some of them are at fault by
   * themselves, and anything else where that is not known.
   */
  write(writing: Writing, inputs: readonly I[]): Promise<O[]>;
}

/** These calls, by their place, can't be written, each for its own reason; the others can. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly reasons: ReadonlyMap<number, Error>;

  constructor(reasons: ReadonlyMap<number, Error>) {
    super(`${reasons.size} calls can't be written`);
    this.reasons = reasons;
  }
}

/** The call at this place alone is at fault. */
export function refused(place: number, reason: Error): RefusedError {
  return new RefusedError(new Map([[place, reason]]));
}

/** Throws RefusedError for those of which `reasonOf` says why. */
export function refuse<I>(inputs: readonly I[], reasonOf: (input: I) => Error | undefined): void {
  const reasons = new Map<number, Error>();
  for (const [place, input] of inputs.entries()) {
    const reason = reasonOf(input);
    if (reason) reasons.set(place, reason);
  }
  if (reasons.size > 0) throw new RefusedError(reasons);
}
