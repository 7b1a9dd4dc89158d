import { type InboundMessage, storableText } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import type { CommandFromResponse, HandOver, RecordedCommand } from "../commands.ts";
import { FileMissingError, RowContradictedError } from "../errors.ts";
import type { LaidOut } from "../lay-out.ts";
import type { Accepted, FailedAttempt } from "../messages.ts";
import { Attempts } from "./attempts.ts";
import type { CommandWrites } from "./command-writes.ts";
import type { Counters } from "./counters.ts";
import type { Failures } from "./failures.ts";
import { unlessDamaged } from "./faults.ts";
import type { ForgottenKeys } from "./forgotten-keys.ts";
import type { LostTime } from "./lost-time.ts";
import { HAS_FILE, type Media } from "./media.ts";
import type { ProvenTime } from "./proven-time.ts";

/** The attempt that settles a message. */
interface LastAttempt {
  status: number | null;
  error?: string | null;
  /** Ms; undefined: not measured. */
  durationMs?: number | undefined;
}

/** What is written of a message that is settled. */
interface SettledRow {
  seq: number;
  state: "delivered" | "dead";
  now: number;
  since: number;
  status: number | null;
  error: string | null;
  durationMs: number | null;
}

/** A message under an id, and where it was written. */
interface IdUser {
  seq: number;
  chat: number;
  chat_id: string;
}

/** A message whose row can't be changed. */
interface DamagedMessage {
  seq: number;
  /** Null where it can't be read. */
  messageId: string | null;
  /** The row says so itself: it was counted. */
  isSettled: boolean;
  maybeAnswered: boolean;
}

interface MessageWritesParts {
  db: Database.Database;
  counters: Counters;
  failures: Failures;
  commands: CommandWrites;
  media: Media;
  forgotten: ForgottenKeys;
  clock: Clock;
  time: ProvenTime;
  lostTime: LostTime;
}

/** What is written of messages, each with its counters. All of it belongs inside a commit. */
export class MessageWrites {
  readonly #parts: MessageWritesParts;
  readonly #attempts: Attempts;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(parts: MessageWritesParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts.db);
    this.#sql = prepare(parts.db);
  }

  /** See Messages.accept. Throws FileMissingError when a file is not here. */
  accept(message: InboundMessage, laidOut: LaidOut | undefined): Accepted {
    const { media, counters, failures, clock, time, lostTime } = this.#parts;
    const users = this.#usersOf(message.message_id);
    const known = this.#known(users, message);
    if (known) return { seq: known.seq, chat: known.chat, duplicate: true, refusal: null };
    // Looked up again: one that only delivered messages had can have been given up since.
    if (!laidOut || media.lacksFile(message)) throw new FileMissingError("a file of the message is not here");
    const refusal = users.length > 0 ? "its message_id was already used in another chat" : null;
    // Not before: a message that comes again must not bring back the number of one who was forgotten.
    const chat = this.#chatOf(message.account_id, message.chat_id);
    const now = clock.now();
    const state = refusal ? "dead" : "pending";
    const { lastInsertRowid } = this.#sql.insert.run(
      chat,
      message.message_id,
      state,
      now,
      refusal ? now : null,
      refusal,
      time.now(),
      lostTime.covers(message.timestamp) ? 1 : 0,
    );
    const seq = Number(lastInsertRowid);
    this.#sql.insertPayload.run(seq, laidOut.request);
    media.record(seq, laidOut.files);
    counters.add("accepted", 1);
    counters.add(state, 1);
    if (refusal) failures.note("dead", message.message_id, refusal);
    const accepted = { seq, chat, duplicate: false, refusal };
    if (refusal || laidOut.files.length > 0) return accepted;
    const { message_id, account_id, chat_id } = message;
    const row = { seq, chat, message_id, account_id, chat_id, received_at: now };
    const pending = { ...row, request: laidOut.request, inlined: [], attempts: 0, retrying_ms: 0, next_attempt_at: 0 };
    return { ...accepted, pending };
  }

  /** The response, `delivered` and the commands. Returns these as they were recorded. */
  delivered(
    seq: number,
    last: LastAttempt,
    response: string,
    commands: CommandFromResponse[],
    handOver?: HandOver,
  ): RecordedCommand[] {
    const now = this.#parts.clock.now();
    const row = this.#settle("delivered", seq, now, last);
    // Settled before: the commands are in already.
    if (!row) return [];
    if (this.#sql.storeResponse.get(response, seq)?.has_file) this.#parts.media.settle(seq, now);
    const answered = { seq, ...row, maybeAnswered: row.maybe_answered === 1, answeredAt: now };
    return this.#parts.commands.record(answered, commands, handOver);
  }

  /** An attempt failed and another one will follow. Returns whether the message left its chat's lane by it. */
  failed(seq: number, { detach, durationMs = null, ...attempt }: FailedAttempt): boolean {
    const now = this.#parts.clock.now();
    const { status, error } = attempt;
    if (this.#sql.failed.run({ seq, now, ...attempt }).changes !== 1) this.#wasSettled(seq);
    else this.#attempts.note(seq, { at: Math.round(now), duration_ms: durationMs, status, error });
    return detach && this.#detach(seq, attempt.error);
  }

  dead(seq: number, last: LastAttempt & { error: string }): void {
    const row = this.#settle("dead", seq, this.#parts.clock.now(), last);
    if (row) this.#parts.failures.note("dead", row.message_id, last.error);
  }

  /** What can be read of a message whose row can't be changed. Outside of a commit: a damaged page spoils it. */
  readDamaged(seq: number): DamagedMessage {
    const row = unlessDamaged(
      () => this.#sql.row.get(seq),
      () => undefined,
    );
    const maybeAnswered = row ? row.maybe_answered === 1 : this.#parts.lostTime.isAny;
    return { seq, messageId: row?.message_id ?? null, isSettled: isSettled(row?.state), maybeAnswered };
  }

  /** A dead letter whose row can't be changed. */
  giveUp(message: DamagedMessage, wasDetached: boolean, reason: string): void {
    if (this.#passOver(message, wasDetached, "dead")) this.#parts.failures.note("dead", message.messageId, reason);
  }

  /** What `delivered` writes, but for the row, which can't be changed. */
  giveUpDelivered(
    message: DamagedMessage & { chat: number },
    wasDetached: boolean,
    commands: CommandFromResponse[],
  ): RecordedCommand[] {
    const { seq, chat, messageId: message_id, maybeAnswered } = message;
    if (!this.#passOver(message, wasDetached, "delivered")) return [];
    return this.#parts.commands.record({ seq, chat, message_id, maybeAnswered }, commands);
  }

  /** What is POSTed from now on. */
  changeRequest(seq: number, request: string): void {
    this.#sql.changeRequest.run(request, seq);
  }

  /** The message leaves its chat's lane. Returns whether it was there. */
  #detach(seq: number, error: string): boolean {
    const { counters, failures } = this.#parts;
    const left = this.#sql.detach.run(seq).changes === 1;
    if (left) counters.add("detached", 1);
    failures.note("detached", this.#sql.row.get(seq)?.message_id ?? null, error);
    return left;
  }

  /** Undefined, and nothing is written, where the message was settled before. Throws RowContradictedError. */
  #settle(state: "delivered" | "dead", seq: number, now: number, last: LastAttempt) {
    const { counters, time } = this.#parts;
    const { status, error = null, durationMs = null } = last;
    const row = this.#sql.settle.get({ state, now, since: time.now(), status, error, durationMs, seq });
    if (!row) return this.#wasSettled(seq);
    counters.add("pending", -1);
    counters.add(state, 1);
    if (row.detached === 1) counters.add("detached", -1);
    return row;
  }

  /**
   * Nothing was changed, since the row is not pending. That is in order where it was settled before, but not where it is
   * in no state at all, or is handed out as pending again and again: then it throws RowContradictedError.
   */
  #wasSettled(seq: number): undefined {
    const row = this.#sql.row.get(seq);
    if (!row || !isSettled(row.state) || this.#sql.listed.get(row.chat, seq, row.chat, seq))
      throw new RowContradictedError("message", seq);
    return undefined;
  }

  /**
   * The row stays as it is, and whoever looks for work goes on without it. False, and nothing is counted, where it was
   * passed over before, or says itself that it is settled.
   */
  #passOver({ seq, isSettled }: DamagedMessage, wasDetached: boolean, to: "dead" | "delivered"): boolean {
    const { counters } = this.#parts;
    if (this.#sql.passOver.run(seq).changes === 0 || isSettled) return false;
    counters.add("pending", -1);
    counters.add(to, 1);
    if (wasDetached) counters.add("detached", -1);
    return true;
  }

  /** The row of this message, among those of its id: in its own chat, or as the same message in another account's. */
  #known(users: IdUser[], message: InboundMessage): IdUser | undefined {
    if (users.length === 0) return undefined;
    const { account_id, chat_id } = message;
    const chat = this.#sql.chat.get(account_id, chat_id)?.chat;
    const forgotten = this.#parts.forgotten.of(chat_id);
    const isOf = (row: IdUser) =>
      row.chat_id === chat_id || (forgotten !== null && row.chat_id.startsWith(`${forgotten}:`));
    return users.find((row) => row.chat === chat) ?? users.find((row) => isOf(row) && this.#isCopy(row.seq, message));
  }

  /** Messages with this id, also of those who were forgotten. */
  #usersOf(messageId: string): IdUser[] {
    const forgotten = this.#parts.forgotten.of(messageId);
    const users = this.#sql.usersOfId.all(messageId);
    return forgotten === null ? users : [...users, ...this.#sql.usersOfId.all(forgotten)];
  }

  /** Whether what another account got under this id is the same message. Where its text is forgotten already, the id is all there is. */
  #isCopy(seq: number, message: InboundMessage): boolean {
    const request = this.#sql.request.get(seq)?.request;
    if (request === undefined) return true;
    const { from, text } = JSON.parse(request) as Pick<InboundMessage, "from" | "text">;
    return from === message.from && storableText(text) === storableText(message.text);
  }

  #chatOf(accountId: string, chatId: string): number {
    const known = this.#sql.chat.get(accountId, chatId);
    return known ? known.chat : Number(this.#sql.insertChat.run(accountId, chatId).lastInsertRowid);
  }
}

function isSettled(state: string | undefined): boolean {
  return state === "delivered" || state === "dead";
}

function prepare(db: Database.Database) {
  return {
    chat: db.prepare<[string, string], { chat: number }>("SELECT chat FROM chats WHERE account_id = ? AND chat_id = ?"),
    insertChat: db.prepare<[string, string]>("INSERT INTO chats (account_id, chat_id) VALUES (?, ?)"),
    // `+?`: see messages.ts.
    usersOfId: db.prepare<[string], IdUser>(
      "SELECT seq, chat, chat_id FROM messages JOIN chats USING (chat) WHERE message_id = +?",
    ),
    request: db.prepare<[number], { request: string }>("SELECT request FROM payloads WHERE seq = ?"),
    insert: db.prepare<[number, string, string, number, number | null, string | null, number, 0 | 1]>(
      `INSERT INTO messages (chat, message_id, state, received_at, settled_at, last_error, state_since, maybe_answered)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertPayload: db.prepare<[number, string]>("INSERT INTO payloads (seq, request) VALUES (?, ?)"),
    storeResponse: db.prepare<[string, number], { has_file: number }>(
      `UPDATE payloads SET response = ? WHERE seq = ? RETURNING instr(request, '${HAS_FILE}') AS has_file`,
    ),
    changeRequest: db.prepare<[string, number]>("UPDATE payloads SET request = ? WHERE seq = ?"),
    row: db.prepare<
      [number],
      { chat: number; message_id: string; state: string; detached: number; maybe_answered: number }
    >("SELECT chat, message_id, state, detached, maybe_answered FROM messages WHERE seq = ?"),
    // By the indexes that hand out messages, whatever the row says.
    listed: db.prepare<[number, number, number, number], { seq: number }>(
      `SELECT seq FROM messages INDEXED BY messages_lane WHERE chat = +? AND seq = +? AND state = 'pending' AND detached = 0
       UNION ALL SELECT seq FROM messages INDEXED BY messages_detached WHERE chat = +? AND +seq = +? AND state = 'pending' AND detached = 1`,
    ),
    passOver: db.prepare<[number]>("INSERT OR IGNORE INTO passed_over_messages (seq) VALUES (?)"),
    settle: db.prepare<[SettledRow], { chat: number; message_id: string; detached: number; maybe_answered: number }>(
      `UPDATE messages SET state = @state, attempts = attempts + 1, settled_at = @now, state_since = @since, status = @status,
         last_error = @error, duration_ms = @durationMs WHERE seq = @seq AND state = 'pending' RETURNING chat, message_id, detached,
         maybe_answered`,
    ),
    failed: db.prepare(
      `UPDATE messages SET attempts = attempts + 1, retrying_ms = retrying_ms + @waitMs, last_attempt_at = @now, next_attempt_at = @nextAttemptAt,
         status = @status, last_error = @error WHERE seq = @seq AND state = 'pending'`,
    ),
    detach: db.prepare<[number]>(
      "UPDATE messages SET detached = 1 WHERE seq = ? AND state = 'pending' AND detached = 0",
    ),
  };
}
