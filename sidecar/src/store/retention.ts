import type Database from "better-sqlite3";
import { isDamage, RESTORE } from "./errors.ts";
import type { Files } from "./files.ts";
import type { GroupCommit } from "./group-commit.ts";
import { HAS_FILE, type Media } from "./media.ts";
import type { ProvenTime } from "./proven-time.ts";

const DAY_MS = 24 * 3_600_000;

/** How long keys and command ids are remembered at least, days. OpenClaw forgets a message after 7, and hands it in again if WhatsApp does. */
const KEEP_KEYS_DAYS = 90;

/** Messages a transaction: a few ms each, where one big delete would stop everything for more than half a second. */
const CHUNK = 250;

/** A place in the order in which messages were settled. */
interface Place {
  state_since: number;
  seq: number;
}
const START: Place = { state_since: -1, seq: 0 };

/**
 * Forgets what is old: first the texts, and with the last one that has a file the file; later the keys. Only of
 * messages that are delivered and whose commands are all settled; what waits, is in doubt or is a dead letter stays.
 * Ages go by the proven time: a wrong clock forgets nothing, for a key that is forgotten too early is a reply that goes
 * out twice.
 */
export class Retention {
  readonly #commit: GroupCommit;
  readonly #media: Media;
  readonly #files: Files;
  readonly #time: ProvenTime;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, commit: GroupCommit, media: Media, files: Files, time: ProvenTime) {
    this.#commit = commit;
    this.#media = media;
    this.#files = files;
    this.#time = time;
    this.#sql = prepare(db);
  }

  /**
   * Forgets in chunks, one a turn, until nothing is old. Returns how many texts, keys and files are gone. Where something can't be forgotten, as for a page
   * that can't be read, all else is; then it rejects with the first reason.
   */
  async sweep(keepTextsDays: number): Promise<{ texts: number; keys: number; files: number }> {
    const now = this.#time.now();
    const oldTexts = { hasText: 1, before: now - keepTextsDays * DAY_MS } as const;
    const oldKeys = { hasText: 0, before: now - Math.max(KEEP_KEYS_DAYS, keepTextsDays) * DAY_MS } as const;
    const errors: unknown[] = [];
    const asFarAsItGoes = (stage: Promise<number>) =>
      stage.catch((error: unknown) => {
        errors.push(error);
        return 0;
      });
    await asFarAsItGoes(this.#commit.run("time", () => this.#time.note()).then(() => 0));
    const texts = await asFarAsItGoes(this.#forget(oldTexts, (seq) => this.#forgetText(seq)));
    const keys = await asFarAsItGoes(this.#forget(oldKeys, (seq) => void this.#sql.forgetKey.run(seq)));
    const files = await asFarAsItGoes(this.#files.sweep((sha256) => this.#media.isNeeded(sha256)));
    if (errors.length > 0) throw errors[0];
    return { texts, keys, files };
  }

  /** Goes through the delivered messages with or without text in the order in which they were settled, each once: a page does not look at those before it. */
  async #forget(which: { hasText: 0 | 1; before: number }, forget: (seq: number) => void): Promise<number> {
    let forgotten = 0;
    let unreadable = 0;
    let page: Place[] = [];
    do {
      page = this.#sql.page.all({ ...which, ...(page.at(-1) ?? START) });
      if (page.length === 0) break;
      const chunk = await this.#forgetAll(page, forget);
      forgotten += chunk.forgotten;
      unreadable += chunk.unreadable;
    } while (page.length === CHUNK);
    if (unreadable > 0)
      throw new Error(`${unreadable} message(s) can't be forgotten: a page of the database can't be read. ${RESTORE}`);
    return forgotten;
  }

  /** In one transaction; where a page can't be read, in two of half as many, down to the messages that are on it. */
  async #forgetAll(page: Place[], forget: (seq: number) => void): Promise<{ forgotten: number; unreadable: number }> {
    try {
      const forgotten = await this.#commit.run("forget", () => {
        const settled = page.filter(({ seq }) => this.#sql.openCommand.get(seq) === undefined);
        for (const { seq } of settled) forget(seq);
        return settled.length;
      });
      return { forgotten, unreadable: 0 };
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (page.length === 1) return { forgotten: 0, unreadable: 1 };
      const middle = page.length >> 1;
      const first = await this.#forgetAll(page.slice(0, middle), forget);
      const second = await this.#forgetAll(page.slice(middle), forget);
      return {
        forgotten: first.forgotten + second.forgotten,
        unreadable: first.unreadable + second.unreadable,
      };
    }
  }

  #forgetText(seq: number): void {
    const text = this.#sql.forgetText.get(seq);
    this.#sql.forgetCommandTexts.run(seq);
    if (text?.has_file) this.#media.forget(seq);
    this.#sql.hasNoText.run(seq);
  }
}

function prepare(db: Database.Database) {
  const delivered = `SELECT state_since, seq FROM messages INDEXED BY messages_delivered
    WHERE state = 'delivered' AND has_text = @hasText AND`;
  return {
    // In two ranges: SQLite looks for (state_since, seq) > (…, …) from the first one of the same millisecond on.
    page: db.prepare<[Place & { hasText: 0 | 1; before: number }], Place>(
      `${delivered} state_since = @state_since AND seq > @seq UNION ALL ${delivered} state_since > @state_since AND state_since < @before
       ORDER BY state_since, seq LIMIT ${CHUNK}`,
    ),
    openCommand: db.prepare<[number], { id: number }>(
      "SELECT id FROM commands WHERE seq = ? AND state IN ('pending', 'sending', 'queued_by_gateway', 'in_doubt') LIMIT 1",
    ),
    forgetText: db.prepare<[number], { has_file: number }>(
      `DELETE FROM payloads WHERE seq = ? RETURNING instr(request, '${HAS_FILE}') AS has_file`,
    ),
    hasNoText: db.prepare<[number]>("UPDATE messages SET has_text = 0 WHERE seq = ?"),
    forgetCommandTexts: db.prepare<[number]>("UPDATE commands SET text = NULL WHERE seq = ?"),
    forgetKey: db.prepare<[number]>("DELETE FROM messages WHERE seq = ?"),
  };
}
