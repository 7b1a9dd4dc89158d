import { isDamage, RESTORE } from "../errors.ts";
import type { Files } from "../files.ts";
import type { Forgotten, Keep } from "../retention.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { FORGOTTEN, type Part } from "./forget.ts";
import type { KeptFiles } from "./kept-files.ts";
import type { ProvenTime } from "./proven-time.ts";

const DAY_MS = 24 * 3_600_000;

/** Messages a transaction, and files a question. */
const CHUNK = 250;

interface RetentionParts {
  db: Queries;
  batches: Batches;
  time: ProvenTime;
  files: Pick<Files, "sweep" | "keep">;
  kept: Pick<KeptFiles, "sweep" | "missing">;
  accounts: () => readonly string[];
}

/** Which messages of an account. */
interface Which {
  account: string;
  part: Part;
  before: number;
}

/** A place in the order in which messages were settled. */
interface Place {
  state_since: number;
  seq: number;
}
const START: Place = { state_since: -1, seq: 0 };

/** What each part is of. */
const OF: Readonly<Record<Part, { state: "delivered" | "dead"; hasText: boolean }>> = {
  texts: { state: "delivered", hasText: true },
  deadLetters: { state: "dead", hasText: true },
  keys: { state: "delivered", hasText: false },
  deadKeys: { state: "dead", hasText: false },
};

/** Forgets what is old of the accounts that are ours, as the embedded store does: see there. */
export class Retention {
  readonly #parts: RetentionParts;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /**
   * Forgets in chunks until nothing is old. Resolves with how many of each kind are gone. Where something can't be
   * forgotten all else is; then it rejects with the first reason.
   */
  async sweep({ textsDays, keysDays, deadLettersDays }: Keep): Promise<Forgotten> {
    const { time, accounts } = this.#parts;
    const now = time.now();
    const keysDaysAtLeast = Math.max(keysDays, textsDays);
    const days = { texts: textsDays, deadLetters: deadLettersDays, keys: keysDaysAtLeast, deadKeys: keysDaysAtLeast };
    const gone = { texts: 0, deadLetters: 0, keys: 0, deadKeys: 0 };
    const errors: unknown[] = [];
    const asFarAsItGoes = (stage: Promise<number>) =>
      stage.catch((error: unknown) => {
        errors.push(error);
        return 0;
      });
    await asFarAsItGoes(time.note().then(() => 0));
    for (const part of ["texts", "deadLetters", "keys", "deadKeys"] as const)
      for (const account of accounts())
        gone[part] += await asFarAsItGoes(
          this.#forget({ account, part, before: Math.floor(now - days[part] * DAY_MS) }),
        );
    const files = await asFarAsItGoes(this.#sweepFiles());
    await asFarAsItGoes(this.keepWaiting(accounts()).then(() => this.#parts.kept.sweep()));
    if (errors.length > 0) throw errors[0];
    const { texts, keys, deadKeys, deadLetters } = gone;
    return { texts, keys: keys + deadKeys, files, deadLetters };
  }

  /** Brings files into the database that wait with messages of these accounts, and are in this sidecar's folder alone. */
  async keepWaiting(accounts: readonly string[]): Promise<void> {
    const { kept, files } = this.#parts;
    for await (const { sha256 } of kept.missing(accounts)) await files.keep(sha256);
  }

  /** In the order in which they were settled, each once: a page does not look at those before it. */
  async #forget(which: Which): Promise<number> {
    let [forgotten, unreadable] = [0, 0];
    let page: Place[] = [];
    do {
      page = await this.#page(which, page.at(-1) ?? START);
      if (page.length === 0) break;
      const chunk = await this.#forgetAll(
        which,
        page.map(({ seq }) => seq),
      );
      forgotten += chunk.forgotten;
      unreadable += chunk.unreadable;
    } while (page.length === CHUNK);
    if (unreadable > 0)
      throw new Error(`${unreadable} message(s) can't be forgotten: a page of the database can't be read. ${RESTORE}`);
    return forgotten;
  }

  async #page({ account, part, before }: Which, behind: Place): Promise<Place[]> {
    const { state, hasText } = OF[part];
    return await this.#parts.db.rows<Place>(
      `SELECT state_since, seq FROM messages WHERE account_id = $1 AND state = '${state}' AND has_text = $2
         AND state_since >= $3 AND state_since < $4 AND (state_since, seq) > ($3, $5::bigint)
       ORDER BY state_since, seq LIMIT ${CHUNK}`,
      ...[account, hasText, behind.state_since, before, behind.seq],
    );
  }

  /** In one transaction; where a page can't be read, in two of half as many, down to the messages that are on it. */
  async #forgetAll(which: Which, seqs: readonly number[]): Promise<{ forgotten: number; unreadable: number }> {
    const { account, part } = which;
    try {
      const forgotten = await this.#parts.batches.run(FORGOTTEN, { account, part, seqs });
      return { forgotten, unreadable: 0 };
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (seqs.length === 1) return { forgotten: 0, unreadable: 1 };
      const middle = seqs.length >> 1;
      const first = await this.#forgetAll(which, seqs.slice(0, middle));
      const second = await this.#forgetAll(which, seqs.slice(middle));
      return { forgotten: first.forgotten + second.forgotten, unreadable: first.unreadable + second.unreadable };
    }
  }

  /**
   * Throws away the files of this sidecar that no message has, of whatever account. It is asked what is old first, then
   * what of that nobody needs, and that goes: one that is asked for meanwhile is old no more.
   */
  async #sweepFiles(): Promise<number> {
    const { files } = this.#parts;
    const old: string[] = [];
    const parts = await files.sweep((sha256) => {
      old.push(sha256);
      return true;
    });
    const unneeded = new Set(old);
    for (let n = 0; n < old.length; n += CHUNK)
      for (const sha256 of await this.#needed(old.slice(n, n + CHUNK))) unneeded.delete(sha256);
    return parts + (await files.sweep((sha256) => !unneeded.has(sha256)));
  }

  async #needed(files: readonly string[]): Promise<string[]> {
    const rows = await this.#parts.db.rows<{ sha256: string }>(
      "SELECT DISTINCT sha256 FROM media WHERE sha256 = ANY ($1)",
      files,
    );
    return rows.map(({ sha256 }) => sha256);
  }
}
