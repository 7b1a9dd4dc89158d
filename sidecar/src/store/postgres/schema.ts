import { every, type Timers } from "../../clock.ts";
import { StoreUnusableError } from "../errors.ts";
import type { Queries } from "./connection.ts";

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

/** Throws OutdatedError where a release of this schema can't go on with the database. */
async function refuseOutdated(db: Queries, release: number): Promise<void> {
  const [row] = await db.rows<{ version: number; oldest: number }>("SELECT version, oldest FROM schema_version");
  if (row && row.oldest > release) throw new OutdatedError(release, row.version);
}

interface SchemaWatchParts {
  db: Queries;
  /** This release's schema. */
  release: number;
  timers: Timers;
  everyMs: number;
}

/**
 * Looks whether this release can go on with the database, for a newer one may start beside it at any time. What is written is
 * held by `guard`; this is to end a sidecar that can't write any more.
 */
export class SchemaWatch {
  readonly #parts: SchemaWatchParts;
  readonly #listeners = new Set<(error: OutdatedError) => void>();
  readonly #stop: () => void;
  #outdated: OutdatedError | null = null;

  constructor(parts: SchemaWatchParts) {
    this.#parts = parts;
    // While the database is away nobody can migrate it either.
    this.#stop = every(parts.timers, parts.everyMs, () => void this.look().catch(() => {}));
  }

  get isOutdated(): boolean {
    return this.#outdated !== null;
  }

  /** Told once, and at once where it is so already. Returns how to stop that. */
  onOutdated(listener: (error: OutdatedError) => void): () => void {
    this.#listeners.add(listener);
    if (this.#outdated) listener(this.#outdated);
    return () => this.#listeners.delete(listener);
  }

  /** Rejects with OutdatedError, or with what is in the way of a look. */
  async look(): Promise<void> {
    if (this.#outdated) throw this.#outdated;
    try {
      await refuseOutdated(this.#parts.db, this.#parts.release);
    } catch (error) {
      if (error instanceof OutdatedError) this.#note(error);
      throw error;
    }
  }

  stop(): void {
    this.#stop();
  }

  #note(error: OutdatedError): void {
    if (this.#outdated) return;
    this.#outdated = error;
    for (const listener of [...this.#listeners]) listener(error);
  }
}
