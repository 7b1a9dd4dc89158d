import type Database from "better-sqlite3";
import type { Clock } from "../../../clock.ts";
import type { AuditEntry, ReadEntry } from "../../operator.ts";

/** Who did what, when, to which message, command or chat, and what came of it. `note` belongs inside the commit of what it notes. */
export class Audit {
  readonly #clock: Clock;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, clock: Clock) {
    this.#clock = clock;
    this.#sql = prepare(db);
  }

  note(entry: Omit<AuditEntry, "id" | "at">): void {
    this.#sql.insert.run({ ...entry, at: Math.round(this.#clock.now()) });
  }

  /** The newest first, from before this id on. */
  page(before: number, limit: number): ReadEntry[] {
    return this.#sql.page.all(before, limit);
  }

  /** What was done (`action`) to one message, command or chat, the oldest first: the last 100. */
  of(kind: AuditEntry["kind"], subject: number, action: string): AuditEntry[] {
    return this.#sql.of.all(kind, subject, action).reverse();
  }
}

function prepare(db: Database.Database) {
  return {
    insert: db.prepare<[Omit<AuditEntry, "id">]>(
      "INSERT INTO audit (at, who, action, kind, subject, result) VALUES (@at, @who, @action, @kind, @subject, @result)",
    ),
    of: db.prepare<[string, number, string], AuditEntry>(
      "SELECT * FROM audit WHERE kind = ? AND subject = ? AND action = ? AND result = 'done' ORDER BY id DESC LIMIT 100",
    ),
    page: db.prepare<[number, number], ReadEntry>(
      `SELECT audit.*, chats.chat_id FROM audit LEFT JOIN chats ON audit.kind = 'chat' AND chats.chat = audit.subject
       WHERE id < ? ORDER BY id DESC LIMIT ?`,
    ),
  };
}
