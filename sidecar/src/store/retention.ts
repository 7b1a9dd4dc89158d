import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";
import type { Files } from "./files.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Media } from "./media.ts";

const DAY_MS = 24 * 3_600_000;

/** How long keys and command ids are remembered at least, days. OpenClaw forgets a message after 7, and hands it in again if WhatsApp does. */
const KEEP_KEYS_DAYS = 90;

/** Rows a transaction: 2 ms each, where one big delete would hold everything up for more than half a second. */
const CHUNK = 500;

/**
 * Forgets what is old: first the texts, and with the last one that has a file the file; later the keys. Only of messages that are delivered and whose commands are all settled; what waits, is in doubt
 * or is a dead letter stays until the operator has dealt with it.
 */
export class Retention {
  readonly #commit: GroupCommit;
  readonly #media: Media;
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, commit: GroupCommit, media: Media, files: Files, clock: Clock) {
    this.#commit = commit;
    this.#media = media;
    this.#files = files;
    this.#clock = clock;
    this.#sql = prepare(db);
  }

  /** Deletes in chunks, one a turn, until nothing is old. Returns how many texts, keys and files are gone. */
  async sweep(keepTextsDays: number): Promise<{ texts: number; keys: number; files: number }> {
    const now = this.#clock.now();
    const texts = await this.#repeat(() => this.#forgetTexts(now - keepTextsDays * DAY_MS));
    const keys = await this.#repeat(
      () => this.#sql.forgetKeys.run(now - Math.max(KEEP_KEYS_DAYS, keepTextsDays) * DAY_MS).changes,
    );
    const files = await this.#files.sweep((sha256) => this.#media.isNeeded(sha256));
    return { texts, keys, files };
  }

  #forgetTexts(before: number): number {
    const seqs = this.#sql.oldTexts.all(before);
    for (const { seq } of seqs) {
      this.#sql.forgetText.run(seq);
      this.#sql.forgetCommandTexts.run(seq);
      this.#media.forget(seq);
    }
    return seqs.length;
  }

  async #repeat(chunk: () => number): Promise<number> {
    let total = 0;
    for (;;) {
      const done = await this.#commit.run("forget", chunk);
      total += done;
      if (done < CHUNK) return total;
    }
  }
}

function prepare(db: Database.Database) {
  const settled = `m.state = 'delivered' AND m.settled_at < ?
    AND NOT EXISTS (SELECT 1 FROM commands k WHERE k.seq = m.seq AND k.state IN ('pending', 'sending', 'in_doubt'))`;
  return {
    oldTexts: db.prepare<[number], { seq: number }>(
      `SELECT p.seq FROM payloads p JOIN messages m USING (seq) WHERE ${settled} ORDER BY p.seq LIMIT ${CHUNK}`,
    ),
    forgetText: db.prepare<[number]>("DELETE FROM payloads WHERE seq = ?"),
    forgetCommandTexts: db.prepare<[number]>("UPDATE commands SET text = NULL WHERE seq = ?"),
    forgetKeys: db.prepare<[number]>(
      `DELETE FROM messages WHERE seq IN (SELECT m.seq FROM messages m INDEXED BY messages_settled WHERE ${settled} ORDER BY m.settled_at LIMIT ${CHUNK})`,
    ),
  };
}
