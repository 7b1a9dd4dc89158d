import type { FilesElsewhere } from "../files.ts";
import type { Connection } from "./connection.ts";
import type { Writing } from "./writing.ts";

/** Bytes of a file in one row. */
const PIECE_BYTES = 1024 * 1024;

/** Files a statement. */
const CHUNK = 250;

/** So long a file is kept that no message waits with, in SQL: its message may come yet. */
const UNASKED = "interval '1 hour'";

/** A row `d` of `media` goes along with a message that is not delivered. */
const WAITS = "d.delivered_at IS NULL AND d.place IS NOT NULL";

interface KeptFilesParts {
  db: Connection;
  /** The files of one message that are sent along, bytes before base64. */
  inlineBytes: () => number;
}

/** A file that waits with its message. */
interface WaitingFile {
  sha256: string;
  size_bytes: number;
}

/**
 * Files in the database, as long as they wait with a message: whichever sidecar owns its account can send them along. A
 * file is named by its bytes, so it is the same whoever keeps it, and no lease is asked for.
 */
export class KeptFiles implements FilesElsewhere {
  readonly #parts: KeptFilesParts;

  constructor(parts: KeptFilesParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the file is in the database: not one that is too large to go along with a message. Rejects when it can't
   * be written.
   */
  async keep(sha256: string, sizeBytes: number, read: () => AsyncIterable<Buffer>): Promise<void> {
    const { db, inlineBytes } = this.#parts;
    if (sizeBytes > inlineBytes()) return;
    await db.transaction(async (tx) => {
      // Another sidecar that keeps it at this moment is waited for.
      const [row] = await tx.rows<{ is_new: boolean }>(
        `INSERT INTO kept_files (sha256, size_bytes, kept_at) VALUES ($1, $2, clock_timestamp())
         ON CONFLICT (sha256) DO UPDATE SET kept_at = excluded.kept_at RETURNING xmax = 0 AS is_new`,
        ...[sha256, sizeBytes],
      );
      if (!row?.is_new) return;
      let n = 0;
      for await (const piece of inPieces(read()))
        await tx.rows("INSERT INTO kept_pieces (sha256, n, bytes) VALUES ($1, $2, $3)", sha256, n++, piece);
    });
  }

  /** Its bytes from this one on; none, where it is not kept, or less than there should be. Rejects when they can't be read. */
  async *read(sha256: string, offset: number): AsyncGenerator<Buffer> {
    for (let n = Math.floor(offset / PIECE_BYTES); ; n += 1) {
      const [piece] = await this.#parts.db.rows<{ bytes: Buffer }>(
        "SELECT bytes FROM kept_pieces WHERE sha256 = $1 AND n = $2",
        ...[sha256, n],
      );
      if (!piece) return;
      yield piece.bytes.subarray(Math.max(0, offset - n * PIECE_BYTES));
      if (piece.bytes.length < PIECE_BYTES) return;
    }
  }

  /** Deletes what waits with no message any more. Resolves with how many files that were. */
  async sweep(): Promise<number> {
    let gone = 0;
    for (;;) {
      // The age is asked for once more of the row that is deleted: a message may be taken in with it at this moment.
      const { length } = await this.#parts.db.rows(
        `DELETE FROM kept_files WHERE kept_at < clock_timestamp() - ${UNASKED} AND sha256 IN (
           SELECT sha256 FROM kept_files f WHERE kept_at < clock_timestamp() - ${UNASKED} AND NOT EXISTS (
             SELECT 1 FROM media d WHERE d.sha256 = f.sha256 AND ${WAITS}
           ) ORDER BY kept_at LIMIT ${CHUNK}
         ) RETURNING 1`,
      );
      gone += length;
      if (length < CHUNK) return gone;
    }
  }

  /** Files that wait with messages of these accounts, and are not kept: those of a store that was moved here, say. */
  missing(accounts: readonly string[]): AsyncGenerator<WaitingFile> {
    return this.#pages(
      `SELECT DISTINCT d.sha256, d.size_bytes FROM messages m JOIN media d USING (seq)
       WHERE m.state <> 'delivered' AND ${WAITS} AND d.sha256 > $1 AND m.account_id = ANY ($2) AND d.size_bytes <= $3
         AND NOT EXISTS (SELECT 1 FROM kept_files f WHERE f.sha256 = d.sha256) ORDER BY d.sha256 LIMIT ${CHUNK}`,
      ...[accounts, this.#parts.inlineBytes()],
    );
  }

  /** Those that are kept and wait with a message, of whatever account. */
  waiting(): AsyncGenerator<WaitingFile> {
    return this.#pages(
      `SELECT DISTINCT d.sha256, d.size_bytes FROM media d JOIN kept_files USING (sha256) WHERE ${WAITS} AND d.sha256 > $1
       ORDER BY d.sha256 LIMIT ${CHUNK}`,
    );
  }

  /** A page at a time, each behind the last name of the one before, `$1`. */
  async *#pages(statement: string, ...values: readonly unknown[]): AsyncGenerator<WaitingFile> {
    let page: WaitingFile[] = [];
    do {
      page = await this.#parts.db.rows<WaitingFile>(statement, page.at(-1)?.sha256 ?? "", ...values);
      yield* page;
    } while (page.length === CHUNK);
  }
}

/** Which of these files are kept. They stay so at least until this transaction has ended, and its message counts on them. */
export async function countOnKept(writing: Writing, files: readonly string[]): Promise<ReadonlySet<string>> {
  if (files.length === 0) return new Set();
  const kept = await writing.rows<{ sha256: string }>(
    "UPDATE kept_files SET kept_at = clock_timestamp() WHERE sha256 = ANY ($1) RETURNING sha256",
    files,
  );
  return new Set(kept.map(({ sha256 }) => sha256));
}

/** Deletes those of these files that no message has any more. */
export async function dropKept(writing: Writing, files: readonly string[]): Promise<void> {
  await writing.rows(
    `DELETE FROM kept_files f WHERE sha256 = ANY ($1) AND NOT EXISTS (SELECT 1 FROM media d WHERE d.sha256 = f.sha256)`,
    files,
  );
}

/** The same bytes in pieces of one length, but for the last. What is read shares its memory: each piece is a copy. */
async function* inPieces(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let had: Buffer[] = [];
  let length = 0;
  for await (const read of bytes) {
    for (let rest = read; rest.length > 0; ) {
      const next = rest.subarray(0, PIECE_BYTES - length);
      had.push(Buffer.from(next));
      length += next.length;
      rest = rest.subarray(next.length);
      if (length < PIECE_BYTES) continue;
      yield Buffer.concat(had);
      [had, length] = [[], 0];
    }
  }
  if (length > 0) yield Buffer.concat(had);
}
