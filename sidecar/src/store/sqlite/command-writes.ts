import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import {
  type CommandFromResponse,
  type HandedOver,
  type HandOver,
  hashOf,
  MAYBE_SENT,
  type NextCommand,
  type RecordedCommand,
  type SettledState,
  type Settlement,
  type Told,
  type UnsettledState,
} from "../commands.ts";
import type { CounterName } from "../counters.ts";
import { RowContradictedError } from "../errors.ts";
import type { Counters } from "./counters.ts";
import type { Failures } from "./failures.ts";
import { unlessDamaged, unlessDamagedWithin } from "./faults.ts";
import type { ForgottenKeys } from "./forgotten-keys.ts";
import { MESSAGE_ID } from "./outbox-rows.ts";
import type { Pauses } from "./pauses.ts";
import type { WrittenMessages } from "./written.ts";

/** The message whose answer has the commands; `message_id`: null where it can't be read. */
interface AnsweredMessage {
  seq: number;
  chat: number;
  message_id: string | null;
  /** It may have been answered in the time that a restore has lost. */
  maybeAnswered: boolean;
  /** When, wall-clock ms. */
  answeredAt?: number;
}

/** A command whose row can't be changed. Null: that can't be read. */
interface DamagedCommand {
  id: number;
  messageId: string | null;
  state: string | null;
}

const UNSETTLED: ReadonlySet<string> = new Set(["pending", "sending"]);
const SETTLED: ReadonlySet<string> = new Set(["sent", "queued_by_gateway", "in_doubt", "failed", "skipped"]);

interface CommandWritesParts {
  db: Database.Database;
  counters: Counters;
  failures: Failures;
  pauses: Pauses;
  forgotten: ForgottenKeys;
  clock: Clock;
  written: WrittenMessages;
}

/** What is written of commands, each with its counters. All of it belongs inside a commit. */
export class CommandWrites {
  readonly #db: Database.Database;
  readonly #counters: Counters;
  readonly #failures: Failures;
  readonly #pauses: Pauses;
  readonly #forgotten: ForgottenKeys;
  readonly #clock: Clock;
  readonly #written: WrittenMessages;
  readonly #sql: ReturnType<typeof prepare>;

  constructor({ db, counters, failures, pauses, forgotten, clock, written }: CommandWritesParts) {
    this.#db = db;
    this.#written = written;
    this.#forgotten = forgotten;
    this.#counters = counters;
    this.#failures = failures;
    this.#pauses = pauses;
    this.#clock = clock;
    this.#sql = prepare(db);
  }

  /** Writes a response's commands; in the commit that settles their message. `handOver`: of the first that is to be sent. */
  record(answered: AnsweredMessage, commands: CommandFromResponse[], handOver?: HandOver): RecordedCommand[] {
    let first = handOver;
    return commands.map((command, position) => {
      const recorded = this.#recordOne(answered, position, command, first);
      if (recorded.outcome === "pending" || recorded.outcome === "sending") first = undefined;
      return recorded;
    });
  }

  /** Whether a command was seen before, with the same chat and payload. */
  isRepeated(chat: number, { commandId, payload }: CommandFromResponse): boolean {
    const owner = commandId === null ? undefined : this.#ownerOf(commandId);
    return owner?.chat === chat && owner.payload_sha256 === hashOf(payload);
  }

  /** The command that has this id, also one of somebody who was forgotten. */
  #ownerOf(commandId: string) {
    const forgotten = this.#forgotten.of(commandId);
    return this.#sql.owner.get(commandId) ?? (forgotten === null ? undefined : this.#sql.owner.get(forgotten));
  }

  #recordOne(
    answered: AnsweredMessage,
    position: number,
    command: CommandFromResponse,
    handOver: HandOver | undefined,
  ): RecordedCommand {
    const { seq, chat, message_id: messageId } = answered;
    const sha256 = hashOf(command.payload);
    const owner = command.commandId === null ? undefined : this.#ownerOf(command.commandId);
    if (owner && owner.payload_sha256 === sha256 && owner.chat === chat) {
      return { id: null, commandId: command.commandId, chat, outcome: "repeated", reason: null };
    }
    const reused = owner
      ? { state: "failed" as const, reason: "its command_id was already used for another command" }
      : null;
    const { order } = command;
    const paused = order ? null : this.#pauses.skips(chat);
    const refusal =
      reused ?? command.refusal ?? (paused === null ? null : { state: "skipped" as const, reason: paused });
    const isDone = !refusal && order !== undefined;
    const isToSend = !refusal && !isDone;
    const isDoubt = isToSend && answered.maybeAnswered;
    const atOnce = isToSend && !isDoubt && handOver ? this.#atOnce(answered, command, handOver) : null;
    const toSend = isDoubt ? "in_doubt" : atOnce ? "sending" : "pending";
    const reason = refusal?.reason ?? (isDoubt ? MAYBE_SENT : null);
    const { lastInsertRowid } = this.#sql.insert.run({
      seq,
      chat,
      position,
      command_id: command.commandId,
      type: command.type,
      text: command.text,
      details: command.details ?? null,
      file: command.file ?? null,
      sha256,
      // Nothing of it is sent.
      state: isDone ? "skipped" : (refusal?.state ?? toSend),
      owns_id: owner ? 0 : 1,
      now: this.#clock.now(),
      settled_at: refusal || isDone || isDoubt ? this.#clock.now() : null,
      error: reason,
      sending_at: atOnce?.sending_at ?? null,
      sending_boot_ms: atOnce?.sending_boot_ms ?? null,
      gateway_process: atOnce?.gateway_process ?? null,
    });
    const outcome = isDone ? "done" : (refusal?.state ?? toSend);
    this.#counters.add(`commands_${outcome}`, 1);
    const id = Number(lastInsertRowid);
    if (isDone) return { id, commandId: command.commandId, chat, outcome, reason: this.#pauses.obey(chat, order, id) };
    if (refusal?.state === "failed") this.#failures.note("command_failed", messageId, refusal.reason);
    const recorded = { id, commandId: command.commandId, chat, outcome, reason } as const;
    return atOnce ? { ...recorded, handed: { ...atOnce, id } } : recorded;
  }

  /** The command as it is handed over in the commit that records it; null: it goes when it is its turn, by what holds then. */
  #atOnce(answered: AnsweredMessage, command: CommandFromResponse, handOver: HandOver): Omit<NextCommand, "id"> | null {
    const { seq, chat, message_id, answeredAt = null } = answered;
    const { commandId: command_id, type, text, details = null } = command;
    // Of a text alone it is known that it can be sent; another kind may be refused, or its file has to be fetched first.
    if (type !== "send_text" || details !== null || command_id === null || text === null || message_id === null)
      return null;
    const { account_id, chat_id, gatewayProcess: gateway_process, linked, behind } = handOver;
    if (behind !== null && !this.#isSent(behind)) return null;
    if (this.#sql.waits.get(chat) || this.#pauses.leftMs(chat, Number.MAX_SAFE_INTEGER) > 0) return null;
    const { to: writtenTo, times } = this.#written.of({ seq, outbound: null }, answeredAt);
    if (writtenTo !== null && linked !== null && writtenTo !== linked) return null;
    const handed = { sending_at: this.#clock.now(), sending_boot_ms: this.#clock.bootMs(), gateway_process };
    // As the row has them: SQLite keeps UTF-8, in which half a pair of surrogates is U+FFFD.
    const written = { command_id: command_id.toWellFormed(), text: text.toWellFormed() };
    const said = { ...written, type, details: null, file: null };
    return {
      seq,
      chat,
      message_id,
      account_id,
      chat_id,
      ...said,
      ...handed,
      outbound: null,
      pausedMs: 0,
      writtenTo,
      times,
    };
  }

  #isSent(id: number): boolean {
    const row = unlessDamagedWithin(
      this.#db,
      () => this.#sql.state.get(id),
      () => undefined,
    );
    return row?.state === "sent";
  }

  /** Null: its chat was paused meanwhile, which holds or skips it, or one before it is to be sent again, as when OpenClaw has dropped it, or the end of `behind` is not written. */
  sending(id: number, gatewayProcess: string | null, behind: number | null): HandedOver | null {
    if (behind !== null && !this.#isSent(behind)) return null;
    const place = this.#sql.place.get(id);
    if (place && (place.is_behind === 1 || this.#pauses.leftMs(place.chat, id) > 0)) return null;
    const [now, bootMs] = [this.#clock.now(), this.#clock.bootMs()];
    const moved = this.#sql.sending.run(now, bootMs, gatewayProcess, id);
    if (moved.changes !== 1) {
      // Handed out by this index, whatever the row says.
      const row = this.#sql.state.get(id);
      if (!row || this.#sql.listed.get(row.chat, id)) throw new RowContradictedError("command", id);
      return null;
    }
    this.#move("commands_pending", "commands_sending");
    return { sending_at: now, sending_boot_ms: bootMs, gateway_process: gatewayProcess };
  }

  refused(id: number, reason: string): void {
    const moved = this.#sql.refuse.get(this.#clock.now(), reason, id);
    if (!moved) return this.#hasState(id);
    this.#move("commands_pending", "commands_failed");
    this.#failures.note("command_failed", this.#sql.messageId.get(moved.seq)?.message_id ?? null, reason);
  }

  /** Returns the chat; null where nothing was changed, since it is settled already. */
  settled(
    id: number,
    state: SettledState,
    { reason, said = null, whatsappMessageId, partial }: Settlement,
  ): number | null {
    const now = this.#clock.now();
    const moved = this.#sql.settle.get(state, now, reason, said, whatsappMessageId, partial ? 1 : 0, id);
    if (!moved) {
      this.#hasState(id);
      return null;
    }
    this.#move("commands_sending", `commands_${state}`);
    if (state !== "failed") return moved.chat;
    const messageId = this.#sql.messageId.get(moved.seq)?.message_id ?? null;
    this.#failures.note("command_failed", messageId, reason ?? "it could not be sent");
    return moved.chat;
  }

  proven(id: number, state: "sent" | "queued_by_gateway", whatsappMessageId: string | null): void {
    const moved = this.#sql.proven.run(state, this.#clock.now(), whatsappMessageId, id);
    if (moved.changes === 1) this.#move("commands_in_doubt", `commands_${state}`);
    else this.#hasState(id);
  }

  askedInVain(id: number, gatewayProcess: string | null): void {
    this.#sql.askedInVain.run(gatewayProcess, this.#clock.now(), id);
  }

  /**
   * The row stays as it is, and whoever looks for work goes on without it. It is counted as `to`, unless it was passed
   * over before, or says itself that it is settled.
   */
  passOver(command: DamagedCommand, from: UnsettledState, to: SettledState, reason: string): void {
    const { id, messageId, state } = command;
    if (this.#sql.passOver.run(id).changes === 0) return;
    if (from === to || (state !== from && state !== null && SETTLED.has(state))) return;
    this.#move(`commands_${from}`, `commands_${to}`);
    if (to === "failed") this.#failures.note("command_failed", messageId, reason);
  }

  /** What can be read of a command whose row can't be changed. Outside of a commit: a damaged page spoils it. */
  readDamaged(id: number): DamagedCommand {
    const row = unlessDamaged(
      () => this.#sql.state.get(id),
      () => undefined,
    );
    const message = unlessDamaged(
      () => row && this.#sql.messageId.get(row.seq),
      () => undefined,
    );
    return { id, state: row?.state ?? null, messageId: message?.message_id ?? null };
  }

  notSent(id: number, { reason, said = null }: Told): void {
    const moved = this.#sql.notSent.get(reason, said, id);
    if (!moved) return this.#hasState(id);
    this.#move("commands_sending", "commands_pending");
    this.#pauses.skipHeld(moved.chat);
  }

  /** Nothing was changed. That is in order where the row is in another state, but not where it is in none: then it throws RowContradictedError. */
  #hasState(id: number): void {
    const state = this.#sql.state.get(id)?.state;
    if (state === undefined || !(UNSETTLED.has(state) || SETTLED.has(state)))
      throw new RowContradictedError("command", id);
  }

  #move(from: CounterName, to: CounterName): void {
    this.#counters.add(from, -1);
    this.#counters.add(to, 1);
  }
}

function prepare(db: Database.Database) {
  return {
    owner: db.prepare<[string], { payload_sha256: string; chat: number }>(
      "SELECT payload_sha256, chat FROM commands WHERE command_id = ? AND owns_id = 1",
    ),
    insert: db.prepare(
      `INSERT INTO commands (seq, chat, position, command_id, type, text, details, file, payload_sha256, state, owns_id, created_at, settled_at, last_error,
         sending_at, sending_boot_ms, gateway_process)
       VALUES (@seq, @chat, @position, @command_id, @type, @text, @details, @file, @sha256, @state, @owns_id, @now, @settled_at, @error,
         @sending_at, @sending_boot_ms, @gateway_process)`,
    ),
    askedInVain: db.prepare<[string | null, number, number]>(
      "UPDATE commands SET asked_process = ?, alarmed_at = coalesce(alarmed_at, ?) WHERE id = ? AND state = 'in_doubt'",
    ),
    state: db.prepare<[number], { seq: number; chat: number; state: string }>(
      "SELECT seq, chat, state FROM commands WHERE id = ?",
    ),
    waits: db.prepare<[number], { id: number }>(
      "SELECT id FROM commands INDEXED BY commands_lane WHERE chat = +? AND state = 'pending' LIMIT 1",
    ),
    place: db.prepare<[number], { chat: number; is_behind: 0 | 1 }>(
      `SELECT chat, EXISTS (SELECT 1 FROM commands b INDEXED BY commands_lane WHERE b.chat = k.chat AND b.id < k.id AND b.state = 'pending'
         AND NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = b.id)) AS is_behind FROM commands k WHERE id = ?`,
    ),
    listed: db.prepare<[number, number], { id: number }>(
      "SELECT id FROM commands INDEXED BY commands_lane WHERE chat = +? AND id = +? AND state = 'pending'",
    ),
    messageId: db.prepare<[number], { message_id: string }>(`SELECT ${MESSAGE_ID} FROM messages WHERE seq = ?`),
    passOver: db.prepare<[number]>("INSERT OR IGNORE INTO passed_over_commands (id) VALUES (?)"),
    proven: db.prepare<[string, number, string | null, number]>(
      "UPDATE commands SET state = ?, settled_at = ?, whatsapp_message_id = ?, last_error = NULL, said = NULL WHERE id = ? AND state = 'in_doubt'",
    ),
    sending: db.prepare<[number, number, string | null, number]>(
      "UPDATE commands SET state = 'sending', sending_at = ?, sending_boot_ms = ?, gateway_process = ? WHERE id = ? AND state = 'pending'",
    ),
    refuse: db.prepare<[number, string, number], { seq: number }>(
      "UPDATE commands SET state = 'failed', settled_at = ?, last_error = ? WHERE id = ? AND state = 'pending' RETURNING seq",
    ),
    settle: db.prepare<
      [string, number, string | null, string | null, string | null, number, number],
      { seq: number; chat: number }
    >(
      "UPDATE commands SET state = ?, settled_at = ?, last_error = ?, said = ?, whatsapp_message_id = ?, partial = ? WHERE id = ? AND state = 'sending' RETURNING seq, chat",
    ),
    notSent: db.prepare<[string | null, string | null, number], { chat: number }>(
      "UPDATE commands SET state = 'pending', last_error = ?, said = ? WHERE id = ? AND state = 'sending' RETURNING chat",
    ),
  };
}
