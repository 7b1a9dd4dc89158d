import type Database from "better-sqlite3";
import type { Clock } from "../../../clock.ts";
import type { CounterName } from "../../counters.ts";
import type { Repaired, Resolution } from "../../operator.ts";
import { Attempts } from "../attempts.ts";
import type { Counters } from "../counters.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Media } from "../media.ts";
import type { ProvenTime } from "../proven-time.ts";
import type { Audit } from "./audit.ts";

interface RepairParts {
  db: Database.Database;
  commit: GroupCommit;
  counters: Counters;
  media: Media;
  clock: Clock;
  time: ProvenTime;
  audit: Audit;
}

interface DeadLetter {
  chat: number;
  message_id: string;
  state: string;
  settled_at: number | null;
  duration_ms: number | null;
  status: number | null;
  last_error: string | null;
  attempts: number;
  discarded_at: number | null;
}

/** What only an operator may change. Each change, and each that was refused, is in the audit. */
export class Repairs {
  readonly #parts: RepairParts;
  readonly #attempts: Attempts;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(parts: RepairParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts.db);
    this.#sql = prepare(parts.db);
  }

  /**
   * A dead letter waits for delivery again: in its chat's place, with its own key and the bytes that it had, and with
   * as much time as a new one.
   */
  retry(id: number, who: string): Promise<Repaired> {
    return this.#repair("retry", "message", id, who, () => {
      const found = this.#deadLetter(id);
      if ("done" in found) return found;
      const refusal = this.#whyNotAgain(id, found);
      if (refusal) return { done: false, found: true, reason: refusal };
      const { settled_at, duration_ms, status, last_error, attempts } = found;
      if (settled_at !== null && attempts > 0)
        this.#attempts.note(id, { at: settled_at, duration_ms, status, error: last_error });
      this.#sql.retry.run(this.#parts.time.now(), id);
      this.#move("dead", "pending");
      return { done: true, chat: found.chat };
    });
  }

  /** The operator is done with a dead letter: its text and its files are deleted, its key stays. */
  discard(id: number, who: string): Promise<Repaired> {
    return this.#repair("discard", "message", id, who, () => {
      const found = this.#deadLetter(id);
      if ("done" in found) return found;
      this.#sql.discard.run(Math.round(this.#parts.clock.now()), id);
      this.#sql.forgetText.run(id);
      this.#parts.media.forget(id);
      this.#move("dead", "discarded");
      return { done: true, chat: found.chat };
    });
  }

  /** What became of a command in doubt, as the operator says; or what is to become of it. */
  resolve(id: number, as: Resolution, who: string): Promise<Repaired> {
    return this.#repair(`resolve as ${as}`, "command", id, who, () => {
      const row = this.#sql.command.get(id);
      if (!row) return { done: false, found: false, reason: "there is no such command" };
      if (row.state !== "in_doubt")
        return { done: false, found: true, reason: `it is ${row.state}: only a command in doubt can be resolved` };
      if (as === "resend" && row.text === null)
        return { done: false, found: true, reason: "its text is forgotten, so that it can't be sent" };
      const now = Math.round(this.#parts.clock.now());
      if (as === "resend") this.#sql.resend.run(id);
      else if (as === "sent") this.#sql.settle.run("sent", now, null, id);
      else this.#sql.settle.run("failed", now, "discarded by the operator", id);
      const to = { resend: "commands_pending", sent: "commands_sent", discard: "commands_failed" } as const;
      this.#move("commands_in_doubt", to[as]);
      return { done: true, chat: row.chat };
    });
  }

  #repair(action: string, kind: "message" | "command", id: number, who: string, change: () => Repaired) {
    return this.#parts.commit.run("repair", () => {
      const repaired = change();
      const exists = repaired.done || repaired.found;
      if (exists)
        this.#parts.audit.note({ who, action, kind, subject: id, result: repaired.done ? "done" : repaired.reason });
      return repaired;
    });
  }

  #deadLetter(id: number): DeadLetter | Extract<Repaired, { done: false }> {
    const row = this.#sql.deadLetter.get(id);
    if (!row) return { done: false, found: false, reason: "there is no such message" };
    if (row.discarded_at !== null) return { done: false, found: true, reason: "it was discarded" };
    if (row.state !== "dead") return { done: false, found: true, reason: `it is ${row.state}, and no dead letter` };
    return row;
  }

  /** Why a dead letter must not, or can't, be POSTed once more; null: it can. */
  #whyNotAgain(id: number, { message_id, chat }: DeadLetter): string | null {
    if (this.#sql.payload.get(id) === undefined) return "its text is gone: the page of the database is damaged";
    if (this.#sql.passedOver.get(id) !== undefined)
      return "its row can't be written: a page of the database is damaged";
    // Hot Bags would take one for a repetition of the other, and give the other's answer.
    if (this.#sql.otherWithId.get(message_id, chat) !== undefined)
      return "another chat's message has the same id, which is its key: answer this one by hand";
    return null;
  }

  #move(from: CounterName, to: CounterName): void {
    this.#parts.counters.add(from, -1);
    this.#parts.counters.add(to, 1);
  }
}

function prepare(db: Database.Database) {
  return {
    deadLetter: db.prepare<[number], DeadLetter>(
      "SELECT chat, message_id, state, settled_at, duration_ms, status, last_error, attempts, discarded_at FROM messages WHERE seq = ?",
    ),
    payload: db.prepare<[number], { seq: number }>("SELECT seq FROM payloads WHERE seq = ?"),
    passedOver: db.prepare<[number], { seq: number }>("SELECT seq FROM passed_over_messages WHERE seq = ?"),
    otherWithId: db.prepare<[string, number], { seq: number }>(
      "SELECT seq FROM messages WHERE message_id = ? AND chat <> ? LIMIT 1",
    ),
    retry: db.prepare<[number, number]>(
      `UPDATE messages SET state = 'pending', detached = 0, attempts = 0, retrying_ms = 0, next_attempt_at = 0,
         settled_at = NULL, duration_ms = NULL, status = NULL, state_since = ? WHERE seq = ?`,
    ),
    discard: db.prepare<[number, number]>("UPDATE messages SET discarded_at = ?, has_text = 0 WHERE seq = ?"),
    forgetText: db.prepare<[number]>("DELETE FROM payloads WHERE seq = ?"),
    command: db.prepare<[number], { chat: number; state: string; text: string | null }>(
      "SELECT chat, state, text FROM commands WHERE id = ?",
    ),
    resend: db.prepare<[number]>(
      `UPDATE commands SET state = 'pending', sending_at = NULL, sending_boot_ms = NULL, gateway_process = NULL, asked_process = NULL,
         alarmed_at = NULL, partial = 0, settled_at = NULL WHERE id = ?`,
    ),
    settle: db.prepare<[string, number, string | null, number]>(
      "UPDATE commands SET state = ?, settled_at = ?, last_error = ?, said = NULL WHERE id = ?",
    ),
  };
}
