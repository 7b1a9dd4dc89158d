import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import { isDamage } from "../errors.ts";
import type { Failure, FailureKind } from "../look.ts";

/** Stands for the message of what can't be read. */
const UNREADABLE = "(unreadable)";

/** What failed last, by kind: it explains what a counter counts. `note` belongs inside the commit of what it notes. */
export class Failures {
  readonly #clock: Clock;
  readonly #note: Database.Statement<[FailureKind, number, string, string]>;
  readonly #all: Database.Statement<[], Failure & { kind: FailureKind }>;
  #isDamaged = false;

  constructor(db: Database.Database, clock: Clock) {
    this.#clock = clock;
    this.#note = db.prepare(
      `INSERT INTO failures (kind, at, message_id, reason, count) VALUES (?, ?, ?, ?, 1)
       ON CONFLICT (kind) DO UPDATE SET at = excluded.at, message_id = excluded.message_id, reason = excluded.reason,
         count = count + 1`,
    );
    this.#all = db.prepare("SELECT kind, at, message_id, reason, count FROM failures");
  }

  /**
   * `messageId`: of the message that it was, or whose command it was; null where that can't be read. Throws at the first
   * damage, which spoils the transaction; after that it notes nothing, lest nothing that failed could be settled.
   */
  note(kind: FailureKind, messageId: string | null, reason: string): void {
    if (this.#isDamaged) return;
    try {
      this.#note.run(kind, this.#clock.now(), messageId ?? UNREADABLE, reason);
    } catch (error) {
      this.#isDamaged = isDamage(error);
      throw error;
    }
  }

  /** The last of each kind; null: there was none yet. */
  all(): Record<FailureKind, Failure | null> {
    const all: Record<FailureKind, Failure | null> = {
      ...{ dead: null, detached: null, command_failed: null, reply_dropped: null },
    };
    for (const { kind, ...failure } of this.#all.all()) if (kind in all) all[kind] = failure;
    return all;
  }
}
