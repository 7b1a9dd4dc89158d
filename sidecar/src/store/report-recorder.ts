import { randomUUID } from "node:crypto";
import { type DeliveryReport, storableJson, transportSessionId } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";
import type { Counters } from "./counters.ts";
import type { DamageRecord } from "./damage.ts";
import { isDamage, unlessDamaged, wordsOf } from "./errors.ts";
import type { ForgottenKeys } from "./forgotten-keys.ts";
import type { ProvenTime } from "./proven-time.ts";

/** What a report is about: each kind has a path of its own at Hot Bags. */
export type ReportKind = "command";

/** Reports that wait, at most: a few MB. The oldest make room. */
export const MAX_REPORTS = 10_000;

/** Reports can't be written, since a page of theirs is damaged. */
export class ReportsDamagedError extends Error {
  override readonly name = "ReportsDamagedError";
}

interface RecorderParts {
  db: Database.Database;
  counters: Counters;
  forgotten: ForgottenKeys;
  damage: DamageRecord;
  clock: Clock;
  time: ProvenTime;
  /** Each kind has so many at the most. */
  most?: number;
}

/** A command that has changed its state, as a trigger says it. */
interface Noted {
  id: number;
  from: string | null;
  to: string;
  commandId: string;
  seq: number;
  chat: number;
  whatsappMessageId: string | null;
  isPartial: boolean;
  reason: string | null;
}

/**
 * Writes down what Hot Bags is to be told of its commands, in the transaction that changes them: after a crash there are
 * both or neither. By triggers of this connection, so that no write can forget it; without somebody who wants reports
 * they are not there.
 */
export class ReportRecorder {
  readonly #parts: RecorderParts;
  readonly #most: number;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #listeners = new Set<(lanes: number[]) => void>();
  #isOn = false;
  #isBroken = false;
  #noted: Noted[] = [];
  #written: number[] = [];

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#most = parts.most ?? MAX_REPORTS;
    this.#sql = prepare(parts.db);
    parts.db.function("note_report", { varargs: true }, (...values) => this.#note(values));
  }

  /** They can't be written: none is made until the next start. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Makes reports of what changes from now on, or none. Throws when SQLite does. */
  turn(on: boolean): void {
    if (on === this.#isOn || this.#isBroken) return;
    this.#parts.db.exec(on ? LISTEN : LISTEN_NO_MORE);
    this.#isOn = on;
  }

  /** See `isBroken`. Not inside of a transaction. */
  giveUp({ cause }: ReportsDamagedError): void {
    this.turn(false);
    this.#isBroken = true;
    this.#parts.damage.note(`reports: ${wordsOf(cause)}`);
  }

  /** Told of the lanes that have new reports, once they are on disk. Returns how to stop that. */
  onNew(listener: (lanes: number[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Notes what a restore has put in doubt, for it was no connection of ours; `tell` false: that nobody wants to know.
   * Belongs inside a commit.
   */
  noteRestores(tell: boolean): void {
    if (this.#sql.unreported.get() === undefined) return;
    if (tell) for (const row of this.#sql.doubted.all()) this.#note(Object.values(row));
    this.#sql.reported.run();
  }

  /** A transaction begins: what one before it has noted was taken back, or is written. */
  begin(): void {
    this.#noted = [];
    this.#written = [];
  }

  /** Belongs inside of the commit, behind all that it changes. Throws ReportsDamagedError. */
  write(): void {
    if (this.#noted.length === 0) return;
    try {
      for (const noted of this.#noted) this.#writeOne(noted);
    } catch (error) {
      if (!isDamage(error)) throw error;
      throw new ReportsDamagedError("reports to Hot Bags can't be written", { cause: error });
    }
  }

  /** All that was written since `begin` is on disk. */
  committed(): void {
    if (this.#written.length > 0) for (const listener of [...this.#listeners]) listener(this.#written);
  }

  #writeOne(noted: Noted): void {
    const { counters, clock, time, forgotten } = this.#parts;
    const { id, chat: number, seq, commandId, isPartial, reason, whatsappMessageId } = noted;
    const chat = unlessDamaged(
      () => this.#sql.chat.get(number),
      () => undefined,
    );
    // Of whoever is forgotten by this very transaction nothing is told any more.
    const isForgotten = forgotten.isForgotten(this.#commandId(noted)) || forgotten.isForgotten(chat?.chat_id ?? "");
    if (!chat || isForgotten) return;
    const message = unlessDamaged(
      () => this.#sql.messageId.get(seq)?.message_id,
      () => undefined,
    );
    const isResolved = noted.from === "in_doubt";
    const key = randomUUID();
    const report: DeliveryReport = {
      ...{ report_id: key, command_id: commandId, message_id: message ?? null, chat_id: chat.chat_id },
      state: isResolved ? "resolved" : (noted.to as DeliveryReport["state"]),
      outcome: isResolved ? outcomeOf(noted.to) : null,
      is_partial: noted.to === "in_doubt" && isPartial,
      ...{ whatsapp_message_id: whatsappMessageId, reason: noted.to === "sent" ? null : reason },
      timestamp: new Date(clock.now()).toISOString(),
      transport_session_id: transportSessionId(chat.account_id),
    };
    const body = storableJson(JSON.stringify(report));
    this.#sql.insert.run({ kind: "command", lane: id, key, account_id: chat.account_id, body, now: time.now() });
    counters.add("reports_waiting", 1);
    this.#written.push(id);
    if (counters.of("reports_waiting") <= this.#most) return;
    const { changes } = this.#sql.dropOldest.run("command");
    counters.add("reports_waiting", -changes);
    counters.add("reports_dropped", changes);
  }

  /** As it is by now. */
  #commandId({ id, commandId }: Noted): string {
    return this.#sql.commandId.get(id)?.command_id ?? commandId;
  }

  #note(values: unknown[]): null {
    const [id, from, to, commandId, seq, chat, whatsappMessageId, partial, reason] = values;
    this.#noted.push({
      ...{ id: Number(id), from: orNull(from), to: String(to), commandId: String(commandId), seq: Number(seq) },
      ...{ chat: Number(chat), whatsappMessageId: orNull(whatsappMessageId), isPartial: Number(partial) === 1 },
      reason: orNull(reason),
    });
    return null;
  }
}

/** What became of what was in doubt. */
function outcomeOf(state: string): DeliveryReport["outcome"] {
  return state === "sent" || state === "failed" ? state : "pending";
}

function orNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

const NOTE = (from: string) =>
  `SELECT note_report(NEW.id, ${from}, NEW.state, NEW.command_id, NEW.seq, NEW.chat, NEW.whatsapp_message_id, NEW.partial, NEW.last_error);`;

/** One without an id can't be named; one that has used another's id would be taken for that. */
const HAS_NAME = "NEW.command_id IS NOT NULL AND NEW.owns_id = 1";

// What is skipped without a reason is done: `pause_chat`.
const LISTEN = `
CREATE TEMP TRIGGER IF NOT EXISTS report_command_new AFTER INSERT ON main.commands
  WHEN NEW.state IN ('failed', 'skipped', 'in_doubt') AND NEW.last_error IS NOT NULL AND ${HAS_NAME} BEGIN
  ${NOTE("NULL")}
END;
CREATE TEMP TRIGGER IF NOT EXISTS report_command_state AFTER UPDATE OF state ON main.commands
  WHEN NEW.state <> OLD.state AND (NEW.state IN ('sent', 'failed', 'skipped', 'in_doubt') OR OLD.state = 'in_doubt')
    AND ${HAS_NAME} BEGIN
  ${NOTE("OLD.state")}
END;`;

const LISTEN_NO_MORE = "DROP TRIGGER temp.report_command_new; DROP TRIGGER temp.report_command_state;";

function prepare(db: Database.Database) {
  return {
    chat: db.prepare<[number], { account_id: string; chat_id: string }>(
      "SELECT account_id, chat_id FROM chats WHERE chat = ?",
    ),
    messageId: db.prepare<[number], { message_id: string }>("SELECT message_id FROM messages WHERE seq = ?"),
    commandId: db.prepare<[number], { command_id: string | null }>("SELECT command_id FROM commands WHERE id = ?"),
    unreported: db.prepare<[], { id: number }>("SELECT id FROM restores WHERE reported = 0 LIMIT 1"),
    reported: db.prepare<[]>("UPDATE restores SET reported = 1 WHERE reported = 0"),
    // As `note_report` has them.
    doubted: db.prepare<[], object>(
      `SELECT k.id, NULL AS was, k.state, k.command_id, k.seq, k.chat, k.whatsapp_message_id, k.partial, k.last_error
       FROM commands k INDEXED BY commands_in_doubt WHERE k.state = 'in_doubt' AND k.command_id IS NOT NULL AND k.owns_id = 1
         AND k.settled_at IN (SELECT restored_at FROM restores WHERE reported = 0) ORDER BY k.id`,
    ),
    insert: db.prepare<
      [{ kind: ReportKind; lane: number; key: string; account_id: string; body: string; now: number }]
    >(
      "INSERT INTO reports (kind, lane, key, account_id, body, made_at) VALUES (@kind, @lane, @key, @account_id, @body, @now)",
    ),
    dropOldest: db.prepare<[ReportKind]>(
      "DELETE FROM reports WHERE id = (SELECT id FROM reports WHERE kind = ? ORDER BY id LIMIT 1)",
    ),
  };
}
