import { type DeliveryReport, transportSessionId } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import type { Rendered } from "../reports.ts";
import { unlessDamaged } from "./faults.ts";
import type { ForgottenKeys } from "./forgotten-keys.ts";
import type { ReportSource } from "./report-recorder.ts";

/** A command that has changed its state, as a trigger says it. */
type Noted = [
  id: number,
  from: string | null,
  to: string,
  commandId: string,
  seq: number,
  chat: number,
  whatsappMessageId: string | null,
  partial: number,
  reason: string | null,
];

/** Delivery reports: what has become of a command. The lane is the command. */
export class CommandReports implements ReportSource {
  readonly kind = "command";
  readonly note = "note_report";
  readonly triggers = TRIGGERS;
  readonly #forgotten: ForgottenKeys;
  readonly #clock: Clock;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, forgotten: ForgottenKeys, clock: Clock) {
    this.#forgotten = forgotten;
    this.#clock = clock;
    this.#sql = prepare(db);
  }

  render(values: readonly unknown[], key: string): Rendered | null {
    const [id, from, to, commandId, seq, number, whatsappMessageId, partial, reason] = values as Noted;
    const chat = unlessDamaged(
      () => this.#sql.chat.get(number),
      () => undefined,
    );
    // Of whoever is forgotten by this very transaction nothing is told any more.
    const nameNow = this.#sql.commandId.get(id)?.command_id ?? commandId;
    if (!chat || [nameNow, chat.chat_id].some((one) => this.#forgotten.isForgotten(one))) return null;
    const message = unlessDamaged(
      () => this.#sql.messageId.get(seq)?.message_id,
      () => undefined,
    );
    const isResolved = from === "in_doubt";
    const body: DeliveryReport = {
      ...{ report_id: key, command_id: commandId, message_id: message ?? null, chat_id: chat.chat_id },
      state: isResolved ? "resolved" : (to as DeliveryReport["state"]),
      outcome: isResolved ? outcomeOf(to) : null,
      is_partial: to === "in_doubt" && partial === 1,
      ...{ whatsapp_message_id: whatsappMessageId, reason: to === "sent" ? null : reason },
      timestamp: new Date(this.#clock.now()).toISOString(),
      transport_session_id: transportSessionId(chat.account_id),
    };
    return { lane: id, accountId: chat.account_id, body };
  }

  /** What a restore has put in doubt. */
  missed(tell: boolean): readonly unknown[][] {
    if (this.#sql.unreported.get() === undefined) return [];
    const doubted = tell ? this.#sql.doubted.all() : [];
    this.#sql.reported.run();
    return doubted;
  }
}

/** What became of what was in doubt. */
function outcomeOf(state: string): DeliveryReport["outcome"] {
  return state === "sent" || state === "failed" ? state : "pending";
}

const NOTE = (from: string) =>
  `BEGIN SELECT note_report(NEW.id, ${from}, NEW.state, NEW.command_id, NEW.seq, NEW.chat, NEW.whatsapp_message_id, NEW.partial, NEW.last_error); END`;

/** One without an id can't be named; one that has used another's id would be taken for that. */
const HAS_NAME = "NEW.command_id IS NOT NULL AND NEW.owns_id = 1";

const TRIGGERS = {
  // What is skipped without a reason is done: `pause_chat`.
  report_command_new: `AFTER INSERT ON main.commands
    WHEN NEW.state IN ('failed', 'skipped', 'in_doubt') AND NEW.last_error IS NOT NULL AND ${HAS_NAME} ${NOTE("NULL")}`,
  report_command_state: `AFTER UPDATE OF state ON main.commands
    WHEN NEW.state <> OLD.state AND (NEW.state IN ('sent', 'failed', 'skipped', 'in_doubt') OR OLD.state = 'in_doubt')
      AND ${HAS_NAME} ${NOTE("OLD.state")}`,
};

function prepare(db: Database.Database) {
  return {
    chat: db.prepare<[number], { account_id: string; chat_id: string }>(
      "SELECT account_id, chat_id FROM chats WHERE chat = ?",
    ),
    messageId: db.prepare<[number], { message_id: string | null }>(
      "SELECT CASE WHEN outbound IS NULL THEN message_id END AS message_id FROM messages WHERE seq = ?",
    ),
    commandId: db.prepare<[number], { command_id: string | null }>("SELECT command_id FROM commands WHERE id = ?"),
    unreported: db.prepare<[], { id: number }>("SELECT id FROM restores WHERE reported = 0 LIMIT 1"),
    reported: db.prepare<[]>("UPDATE restores SET reported = 1 WHERE reported = 0"),
    // As a trigger says it.
    doubted: db
      .prepare<[], unknown[]>(
        `SELECT k.id, NULL, k.state, k.command_id, k.seq, k.chat, k.whatsapp_message_id, k.partial, k.last_error
         FROM commands k INDEXED BY commands_in_doubt WHERE k.state = 'in_doubt' AND k.command_id IS NOT NULL AND k.owns_id = 1
           AND k.settled_at IN (SELECT restored_at FROM restores WHERE reported = 0) ORDER BY k.id`,
      )
      .raw(),
  };
}
