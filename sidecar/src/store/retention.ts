import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";
import type { Files } from "./files.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Media } from "./media.ts";

const DAY_MS = 24 * 3_600_000;

/** How long keys and command ids are remembered at least, days. OpenClaw forgets a message after 7, and hands it in again if WhatsApp does. */
const KEEP_KEYS_DAYS = 90;

/** Messages a transaction: a few ms each, where one big delete would hold everything up for more than half a second. */
const CHUNK = 250;

/** A place in the order in which messages were settled. */
interface Place {
  settled_at: number;
  seq: number;
}
const START: Place = { settled_at: -1, seq: 0 };

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

  /** Forgets in chunks, one a turn, until nothing is old. Returns how many texts, keys and files are gone. */
  async sweep(keepTextsDays: number): Promise<{ texts: number; keys: number; files: number }> {
    const now = this.#clock.now();
    const keepKeysDays = Math.max(KEEP_KEYS_DAYS, keepTextsDays);
    const texts = await this.#forget({ hasText: 1, before: now - keepTextsDays * DAY_MS }, (seq) =>
      this.#forgetText(seq),
    );
    const keys = await this.#forget({ hasText: 0, before: now - keepKeysDays * DAY_MS }, (seq) =>
      this.#sql.forgetKey.run(seq),
    );
    const files = await this.#files.sweep((sha256) => this.#media.isNeeded(sha256));
    return { texts, keys, files };
  }

  /** Goes through the delivered messages with or without text in the order in which they were settled, each once: a page does not look at those before it. */
  async #forget(which: { hasText: 0 | 1; before: number }, forget: (seq: number) => void): Promise<number> {
    let total = 0;
    let place: Place | undefined = START;
    while (place) {
      const from: Place = place;
      const chunk = await this.#commit.run("forget", () => {
        const page = this.#sql.page.all({ ...which, ...from });
        const settled = page.filter((message) => this.#sql.openCommand.get(message.seq) === undefined);
        for (const message of settled) forget(message.seq);
        return { forgotten: settled.length, last: page.length < CHUNK ? undefined : page.at(-1) };
      });
      total += chunk.forgotten;
      place = chunk.last;
    }
    return total;
  }

  #forgetText(seq: number): void {
    this.#sql.forgetText.run(seq);
    this.#sql.forgetCommandTexts.run(seq);
    this.#media.forget(seq);
    this.#sql.hasNoText.run(seq);
  }
}

function prepare(db: Database.Database) {
  const delivered = `SELECT settled_at, seq FROM messages INDEXED BY messages_delivered
    WHERE state = 'delivered' AND has_text = @hasText AND`;
  return {
    // In two ranges: SQLite looks for (settled_at, seq) > (…, …) from the first one of the same millisecond on.
    page: db.prepare<[Place & { hasText: 0 | 1; before: number }], Place>(
      `${delivered} settled_at = @settled_at AND seq > @seq UNION ALL ${delivered} settled_at > @settled_at AND settled_at < @before
       ORDER BY settled_at, seq LIMIT ${CHUNK}`,
    ),
    openCommand: db.prepare<[number], { id: number }>(
      "SELECT id FROM commands WHERE seq = ? AND state IN ('pending', 'sending', 'in_doubt') LIMIT 1",
    ),
    forgetText: db.prepare<[number]>("DELETE FROM payloads WHERE seq = ?"),
    hasNoText: db.prepare<[number]>("UPDATE messages SET has_text = 0 WHERE seq = ?"),
    forgetCommandTexts: db.prepare<[number]>("UPDATE commands SET text = NULL WHERE seq = ?"),
    forgetKey: db.prepare<[number]>("DELETE FROM messages WHERE seq = ?"),
  };
}
