import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import { isDamage, RESTORE } from "../errors.ts";
import type { Files } from "../files.ts";
import type { Forgotten, Keep, RetentionStore } from "../retention.ts";
import type { Counters } from "./counters.ts";
import type { GroupCommit } from "./group-commit.ts";
import { HAS_FILE, type Media } from "./media.ts";
import type { ProvenTime } from "./proven-time.ts";

const DAY_MS = 24 * 3_600_000;

/** Messages a transaction: a few ms each, where one big delete would stop everything for more than half a second. */
const CHUNK = 250;

interface RetentionParts {
  db: Database.Database;
  commit: GroupCommit;
  counters: Counters;
  clock: Clock;
  media: Media;
  files: Files;
  time: ProvenTime;
}

/** Which messages. */
interface Which {
  state: "delivered" | "dead";
  hasText: 0 | 1;
  before: number;
}

/** A place in the order in which messages were settled. */
interface Place {
  state_since: number;
  seq: number;
}
const START: Place = { state_since: -1, seq: 0 };

/** See RetentionStore. */
export class Retention implements RetentionStore {
  readonly #commit: GroupCommit;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #media: Media;
  readonly #files: Files;
  readonly #time: ProvenTime;
  readonly #sql: ReturnType<typeof prepare>;

  constructor({ db, commit, counters, clock, media, files, time }: RetentionParts) {
    this.#commit = commit;
    this.#counters = counters;
    this.#clock = clock;
    this.#media = media;
    this.#files = files;
    this.#time = time;
    this.#sql = prepare(db);
  }

  async sweep({ textsDays, keysDays, deadLettersDays }: Keep): Promise<Forgotten> {
    const now = this.#time.now();
    const before = (days: number) => now - days * DAY_MS;
    const keysBefore = before(Math.max(keysDays, textsDays));
    const errors: unknown[] = [];
    const asFarAsItGoes = (stage: Promise<number>) =>
      stage.catch((error: unknown) => {
        errors.push(error);
        return 0;
      });
    await asFarAsItGoes(this.#commit.run("time", () => this.#time.note()).then(() => 0));
    const forget = (which: Which, one: (seq: number) => void) => asFarAsItGoes(this.#forget(which, one));
    const forgetKey = (seq: number) => void this.#sql.forgetKey.run(seq);
    const texts = await forget({ state: "delivered", hasText: 1, before: before(textsDays) }, (seq) =>
      this.#forgetText(seq),
    );
    const deadLetters = await forget({ state: "dead", hasText: 1, before: before(deadLettersDays) }, (seq) =>
      this.#discard(seq),
    );
    const keys =
      (await forget({ state: "delivered", hasText: 0, before: keysBefore }, forgetKey)) +
      (await forget({ state: "dead", hasText: 0, before: keysBefore }, forgetKey));
    const files = await asFarAsItGoes(this.#files.sweep((sha256) => this.#media.isNeeded(sha256)));
    if (errors.length > 0) throw errors[0];
    return { texts, keys, files, deadLetters };
  }

  /** Goes through the messages of this state with or without text in the order in which they were settled, each once: a page does not look at those before it. */
  async #forget(which: Which, forget: (seq: number) => void): Promise<number> {
    let forgotten = 0;
    let unreadable = 0;
    let page: Place[] = [];
    do {
      page = this.#sql[which.state].all({ ...which, ...(page.at(-1) ?? START) });
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

  /** As Repairs.discard does. Its key begins to grow old only now: the operator can still see what has become of it. */
  #discard(seq: number): void {
    this.#forgetText(seq);
    this.#sql.discard.run(Math.round(this.#clock.now()), this.#time.now(), seq);
    this.#counters.add("dead", -1);
    this.#counters.add("discarded", 1);
  }
}

function prepare(db: Database.Database) {
  // In two ranges: SQLite looks for (state_since, seq) > (…, …) from the first one of the same millisecond on.
  const pageOf = (state: Which["state"]) => {
    const old = `SELECT state_since, seq FROM messages INDEXED BY messages_${state === "dead" ? "given_up" : state}
      WHERE state = '${state}' AND has_text = @hasText AND`;
    return db.prepare<[Place & Which], Place>(
      `${old} state_since = @state_since AND seq > @seq UNION ALL ${old} state_since > @state_since AND state_since < @before
       ORDER BY state_since, seq LIMIT ${CHUNK}`,
    );
  };
  return {
    delivered: pageOf("delivered"),
    dead: pageOf("dead"),
    openCommand: db.prepare<[number], { id: number }>(
      "SELECT id FROM commands WHERE seq = ? AND state IN ('pending', 'sending', 'queued_by_gateway', 'in_doubt') LIMIT 1",
    ),
    forgetText: db.prepare<[number], { has_file: number }>(
      `DELETE FROM payloads WHERE seq = ? RETURNING instr(request, '${HAS_FILE}') AS has_file`,
    ),
    hasNoText: db.prepare<[number]>("UPDATE messages SET has_text = 0 WHERE seq = ?"),
    forgetCommandTexts: db.prepare<[number]>(
      "UPDATE commands SET text = NULL, details = NULL, file = NULL, said = NULL WHERE seq = ?",
    ),
    discard: db.prepare<[number, number, number]>(
      "UPDATE messages SET discarded_at = ?, state_since = ? WHERE seq = ?",
    ),
    forgetKey: db.prepare<[number]>("DELETE FROM messages WHERE seq = ?"),
  };
}
