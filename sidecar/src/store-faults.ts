import { type Backoff, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import type { Rest } from "./lanes.ts";
import { Retries } from "./retries.ts";
import { isDamage, NotOwnedError, type SharedStore, StoreUnwritableError } from "./store/index.ts";

/** Waits before a lane is run again for which the store could not be read or written. */
const BACKOFF: Backoff = { baseMs: 1_000, maxMs: 60_000 };

/**
 * A row that could not be read or written this often in a row is given up. A disk may fail once, and be well a second
 * later.
 */
const MAX_TRIES = 3;

/**
 * What lanes do when the store fails them. Nothing is begun in an outage of the store. A lane whose run failed rests
 * for a while of its own, until the outage is over if it was one, and the operator is told of all of them at once.
 */
export class StoreFaults {
  readonly #store: SharedStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ofLanes: Retries<number>;
  readonly #ofRows: Retries<number>;
  /** However many lanes it concerns. */
  readonly #logThrottle: LogThrottle;

  constructor({ store, clock, random, log }: { store: SharedStore; clock: Clock; random: () => number; log: Logger }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#ofLanes = new Retries(BACKOFF, random);
    this.#ofRows = new Retries(BACKOFF, random);
    this.#logThrottle = new LogThrottle({ clock });
  }

  /** Whether there is an outage: what would be begun could not be written down. */
  get isOutage(): boolean {
    return this.#store.outage !== null;
  }

  /** Calls `listener` when an outage is over: what rests for `store` is to be released. Returns how to stop that. */
  onRecovery(listener: () => void): () => void {
    return this.#store.onOutage((outage) => {
      if (outage === null) listener();
    });
  }

  /** The run of a lane threw: only the store does that. A lane that is another process's ends here. */
  failed(lane: number, error: unknown): Rest<"store"> | "empty" {
    if (error instanceof NotOwnedError) {
      this.#ofLanes.clear(lane);
      return "empty";
    }
    if (isDamage(error)) this.#store.check(error);
    // An outage has its own line in the log.
    if (!(error instanceof StoreUnwritableError)) {
      const facts = { err: error, alarm: true };
      const what = "the store can't be read or written; what it concerns is tried again";
      this.#logThrottle.log(() => this.#log.error(facts, what));
    }
    return this.#restFor(this.#ofLanes.add(lane).waitMs);
  }

  /** The run of a lane did not throw. */
  passed(lane: number): void {
    this.#ofLanes.clear(lane);
  }

  /**
   * A row could not be read or written for damage. Returns for what its lane rests; null: the row is to be given up. Not
   * for damage that would hit the next row as well.
   */
  damaged(row: number, error: unknown): Rest<"store"> | null {
    const isItsOwn = this.#store.check(error);
    const { inARow, waitMs } = this.#ofRows.add(row);
    return isItsOwn && inARow >= MAX_TRIES ? null : this.#restFor(waitMs);
  }

  /** The row is settled, or given up. */
  forget(row: number): void {
    this.#ofRows.clear(row);
  }

  #restFor(ms: number): Rest<"store"> {
    return { cause: "store", until: this.#clock.uptimeMs() + ms };
  }
}
