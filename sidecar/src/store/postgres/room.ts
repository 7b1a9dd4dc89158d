import { isDamage, StoreUnwritableError } from "../errors.ts";
import type { Files } from "../files.ts";
import type { DeliveredFile } from "../retention.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { dropKept } from "./kept-files.ts";
import type { Verb } from "./verb.ts";

/** Delivered files looked at a time. */
const PAGE = 50;

interface RoomParts {
  db: Queries;
  batches: Batches;
  files: Pick<Files, "giveUp">;
  accounts: () => readonly string[];
}

/**
 * Makes room in this sidecar's folder with files of messages that Hot Bags has already, the longest delivered first: as
 * the embedded store does.
 */
export class Room {
  readonly #parts: RoomParts;

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  /**
   * Gives up files until so many bytes are free, or there are no more to give up. Resolves with how many became free; while
   * the database can't be written, or a page of it can't be read, there are none. Rejects when a file can't be deleted.
   */
  async make(bytes: number): Promise<number> {
    const { batches, files } = this.#parts;
    const given = new Map<string, number>();
    const freed = () => [...given.values()].reduce((sum, size) => sum + size, 0);
    try {
      let last: DeliveredFile | undefined;
      while (freed() < bytes) {
        const page: DeliveredFile[] = await this.#delivered(last);
        last = page.at(-1);
        if (!last) break;
        const names = [...new Set(page.map(({ sha256 }) => sha256))].filter((sha256) => !given.has(sha256));
        await batches.run(GIVEN_UP, { names, given, isEnough: () => freed() >= bytes, files });
      }
    } catch (error) {
      if (!(error instanceof StoreUnwritableError || isDamage(error))) throw error;
    }
    return freed();
  }

  async #delivered(last: DeliveredFile | undefined): Promise<DeliveredFile[]> {
    const { db, accounts } = this.#parts;
    const { delivered_at, seq, position } = last ?? { delivered_at: -1, seq: 0, position: 0 };
    return await db.rows<DeliveredFile>(
      `SELECT d.sha256, d.delivered_at, d.seq, d.position FROM media d JOIN messages m USING (seq)
       WHERE m.account_id = ANY ($1) AND d.delivered_at >= $2 AND (d.delivered_at, d.seq, d.position) > ($2, $3::bigint, $4::int)
       ORDER BY d.delivered_at, d.seq, d.position LIMIT ${PAGE}`,
      ...[accounts(), delivered_at, seq, position],
    );
  }
}

interface GivenUp {
  names: readonly string[];
  /** Those that were, also by a transaction that was taken back, and how many bytes became free by each. */
  given: Map<string, number>;
  isEnough: () => boolean;
  files: Pick<Files, "giveUp">;
}

/**
 * It is looked who waits for them and they are given up in one transaction, beside which this sidecar has no other: no
 * message can be accepted in between. A file goes before the note of it: what is taken back, or cut off by a crash, is a
 * note of a file that is not here.
 */
const GIVEN_UP: Verb<GivenUp, void> = {
  name: "file-given-up",
  keyOf: () => "files",
  async write(writing, inputs) {
    for (const { names, given, isEnough, files } of inputs) {
      const awaited = await writing.rows<{ sha256: string }>(
        "SELECT DISTINCT sha256 FROM media WHERE sha256 = ANY ($1) AND delivered_at IS NULL",
        names,
      );
      const needed = new Set(awaited.map(({ sha256 }) => sha256));
      for (const name of names) {
        if (isEnough()) break;
        if (!needed.has(name) && !given.has(name)) given.set(name, files.giveUp(name));
      }
      await writing.rows(
        `DELETE FROM media USING messages m WHERE m.seq = media.seq AND m.account_id = ANY ($1)
           AND media.sha256 = ANY ($2) AND media.delivered_at IS NOT NULL`,
        ...[writing.accounts, names.filter((name) => given.has(name))],
      );
    }
    return inputs.map(() => undefined);
  },
};

/** Throws away what no message has any more, of whatever account. */
export const UNNEEDED: Verb<{ names: readonly string[]; files: Pick<Files, "giveUp"> }, void> = {
  name: "file-thrown-away",
  keyOf: () => "files",
  async write(writing, inputs) {
    for (const { names, files } of inputs) {
      const rows = await writing.rows<{ sha256: string }>(
        "SELECT DISTINCT sha256 FROM media WHERE sha256 = ANY ($1)",
        names,
      );
      const needed = new Set(rows.map(({ sha256 }) => sha256));
      for (const name of names) if (!needed.has(name)) files.giveUp(name);
      await dropKept(writing, names);
    }
    return inputs.map(() => undefined);
  },
};
