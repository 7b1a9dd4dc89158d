import type { AuditEntry, ReadEntry } from "../operator.ts";
import type { Queries } from "./connection.ts";
import type { Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

export type Entry = Omit<AuditEntry, "id" | "at">;

/** Notes what is done in this transaction. */
export async function noteInAudit(writing: Writing, { who, action, kind, subject, result }: Entry): Promise<void> {
  await writing.rows(
    "INSERT INTO audit (at, who, action, kind, subject, result) VALUES ($1, $2, $3, $4, $5, $6)",
    ...[writing.now, who, action, kind, subject, result],
  );
}

/** What was done elsewhere, or what somebody looked at. */
export const NOTED: Verb<Entry, void> = {
  name: "audit",
  keyOf: () => "audit",
  async write(writing, inputs) {
    for (const entry of inputs) await noteInAudit(writing, entry);
    return inputs.map(() => undefined);
  },
};

/** Who did what, when, to which message, command or chat, and what came of it. */
export class Audit {
  readonly #db: Queries;

  constructor(db: Queries) {
    this.#db = db;
  }

  /** The newest first, from before this id on. */
  async page(before: number, limit: number): Promise<ReadEntry[]> {
    return await this.#db.rows<ReadEntry>(
      `SELECT audit.*, chats.chat_id FROM audit LEFT JOIN chats ON audit.kind = 'chat' AND chats.chat = audit.subject
       WHERE id < $1 ORDER BY id DESC LIMIT $2`,
      ...[before, limit],
    );
  }

  /** What was done (`action`) to one message, command or chat, the oldest first: the last 100. */
  async of(kind: AuditEntry["kind"], subject: number, action: string): Promise<AuditEntry[]> {
    const rows = await this.#db.rows<AuditEntry>(
      `SELECT * FROM audit WHERE kind = $1 AND subject = $2 AND action = $3 AND result = 'done' ORDER BY id DESC LIMIT 100`,
      ...[kind, subject, action],
    );
    return rows.reverse();
  }
}
