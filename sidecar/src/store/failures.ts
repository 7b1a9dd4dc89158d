import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";

/**
 * `dead`: a message became a dead letter. `detached`: an attempt failed by its message's own fault.
 * `command_failed`: a command was refused, or could not be sent. `reply_dropped`: OpenClaw gave up a reply of its queue.
 */
type FailureKind = "dead" | "detached" | "command_failed" | "reply_dropped";

export interface Failure {
  /** Wall-clock ms. */
  at: number;
  message_id: string;
  /** A sentence for the operator, without any of the customer's or Hot Bags' words. */
  reason: string;
}

/** What failed last, by kind: it explains what a counter counts. `note` belongs inside the commit of what it notes. */
export class Failures {
  readonly #clock: Clock;
  readonly #note: Database.Statement<[FailureKind, number, string, number]>;
  readonly #latest: Database.Statement<[FailureKind], Failure>;

  constructor(db: Database.Database, clock: Clock) {
    this.#clock = clock;
    this.#note = db.prepare(
      `INSERT INTO failures (kind, at, message_id, reason) SELECT ?, ?, message_id, ? FROM messages WHERE seq = ?
       ON CONFLICT (kind) DO UPDATE SET at = excluded.at, message_id = excluded.message_id, reason = excluded.reason`,
    );
    this.#latest = db.prepare("SELECT at, message_id, reason FROM failures WHERE kind = ?");
  }

  /** `seq` is the message that it was, or whose command it was. */
  note(kind: FailureKind, seq: number, reason: string): void {
    this.#note.run(kind, this.#clock.now(), reason, seq);
  }

  /** Null: there was none yet. */
  latest(kind: FailureKind): Failure | null {
    return this.#latest.get(kind) ?? null;
  }
}
