import { every, type Timers } from "../../clock.ts";
import { StoreUnusableError } from "../errors.ts";
import type { Queries } from "./connection.ts";
import { RewoundError, refuseRewound } from "./rewound.ts";

/** A newer release has brought the database to a schema that this one can't go on with. */
export class OutdatedError extends StoreUnusableError {
  override readonly name = "OutdatedError";

  /** `release`: this one's schema; `version`: the database's. */
  constructor(release: number, version: number) {
    super(
      `the database was written by a newer release (schema ${version}, this one has ${release}) that this one can't go on beside: install that one. Nothing was changed.`,
      { passes: false },
    );
  }
}

/** Throws OutdatedError where a release of this schema can't go on with the database; see `refuseRewound`. */
export async function refuseOutdated(db: Queries, release: number, seenAt = 0): Promise<void> {
  const [row] = await db.rows<{ version: number; oldest: number; wall_at: number | null }>(
    "SELECT version, oldest, (SELECT wall_at FROM proven_time) AS wall_at FROM schema_version",
  );
  if (row && row.oldest > release) throw new OutdatedError(release, row.version);
  refuseRewound(row?.wall_at ?? null, seenAt);
}

/** Why this sidecar can't go on, until somebody does something about it. */
export type Unfit = OutdatedError | RewoundError;

interface SchemaWatchParts {
  db: Queries;
  /** This release's schema. */
  release: number;
  /** See ProvenTime. */
  seenAt?: () => number;
  timers: Timers;
  everyMs: number;
}

/**
 * Looks whether this sidecar can go on with the database, for a newer release may start beside it at any time, and somebody may
 * put the database back. What is written is held by `guard`; this is to end a sidecar that can't write any more.
 */
export class SchemaWatch {
  readonly #parts: SchemaWatchParts;
  readonly #listeners = new Set<(error: Unfit) => void>();
  readonly #stop: () => void;
  #outdated: Unfit | null = null;

  constructor(parts: SchemaWatchParts) {
    this.#parts = parts;
    // While the database is away nobody can migrate it either.
    this.#stop = every(parts.timers, parts.everyMs, () => void this.look().catch(() => {}));
  }

  get isOutdated(): boolean {
    return this.#outdated !== null;
  }

  /** Told once, and at once where it is so already. Returns how to stop that. */
  onOutdated(listener: (error: Unfit) => void): () => void {
    this.#listeners.add(listener);
    if (this.#outdated) listener(this.#outdated);
    return () => this.#listeners.delete(listener);
  }

  /** Rejects with OutdatedError, with RewoundError, or with what is in the way of a look. */
  async look(): Promise<void> {
    if (this.#outdated) throw this.#outdated;
    const { db, release, seenAt = () => 0 } = this.#parts;
    try {
      await refuseOutdated(db, release, seenAt());
    } catch (error) {
      if (error instanceof OutdatedError || error instanceof RewoundError) this.#note(error);
      throw error;
    }
  }

  stop(): void {
    this.#stop();
  }

  #note(error: Unfit): void {
    if (this.#outdated) return;
    this.#outdated = error;
    for (const listener of [...this.#listeners]) listener(error);
  }
}
