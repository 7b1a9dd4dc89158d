import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { StoreUnusableError } from "../errors.ts";
import { nameOf } from "./database-name.ts";

/** The database was put back to a time before this machine used it last: what was sent since would be sent again. */
export class RewoundError extends StoreUnusableError {
  override readonly name = "RewoundError";

  constructor(why: string) {
    super(`${why}. Stop all sidecars, run \`hotbags restored\`, and start them (docs/fleet.md). Nothing was changed.`, {
      passes: false,
    });
  }
}

/**
 * Why a database is not to be gone on with that was used later than it knows of; null: it was not. By its own clock, ms:
 * `wallAt` is until when, as it is written there, and `seenAt` as whoever asks knows of it.
 */
export function whyRewound(wallAt: number | null, seenAt: number): string | null {
  if (wallAt === null || wallAt >= seenAt) return null;
  return `the database is as it was at ${iso(wallAt)}, and this sidecar has used it until ${iso(seenAt)}: it was restored, and replies of the time between would be sent again`;
}

/** Throws RewoundError. */
export function refuseRewound(wallAt: number | null, seenAt: number): void {
  const why = whyRewound(wallAt, seenAt);
  if (why !== null) throw new RewoundError(why);
}

const file = z.object({ database: z.string(), seen_at: z.number() });

/** Until when this machine has used a database, by that one's clock, in a small file of the state folder. */
export class LastSeen {
  readonly #path: string;
  readonly #database: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(stateDir: string, url: string) {
    this.#path = join(stateDir, "database-seen.json");
    this.#database = nameOf(url);
  }

  /** Ms. Never: this one was not used here, or nobody can read that. */
  async read(): Promise<number> {
    try {
      const { database, seen_at } = file.parse(JSON.parse(await readFile(this.#path, "utf8")));
      return database === this.#database ? seen_at : Number.NEGATIVE_INFINITY;
    } catch {
      return Number.NEGATIVE_INFINITY;
    }
  }

  /** What can't be written is by the next time: a disk that is full is told of elsewhere. */
  async note(seenAt: number): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(seenAt)).catch(() => {});
    await this.#writing;
  }

  async #write(seenAt: number): Promise<void> {
    const next = `${this.#path}.next`;
    await writeFile(next, JSON.stringify({ database: this.#database, seen_at: seenAt }), { mode: 0o600 });
    await rename(next, this.#path);
  }
}

const iso = (at: number) => new Date(at).toISOString();
