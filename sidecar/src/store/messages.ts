import { type InboundMessage, storableText } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";
import type { CommandFromResponse, Commands, RecordedCommand } from "./commands.ts";
import type { Counters } from "./counters.ts";
import { FileMissingError, isDamage, readRow, unlessDamaged } from "./errors.ts";
import type { Failures } from "./failures.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { InlinedFile, Media } from "./media.ts";
import type { ProvenTime } from "./proven-time.ts";

export interface Accepted {
  seq: number;
  chat: number;
  /** It was there already; nothing was written. */
  duplicate: boolean;
  /** Why it was accepted as a dead letter; null when it waits for delivery. */
  refusal: string | null;
}

/** A message that waits for delivery, with all that its POST needs. */
export interface PendingMessage {
  seq: number;
  chat: number;
  message_id: string;
  account_id: string;
  chat_id: string;
  /** The stored body, the same bytes on every attempt, without those of the files. */
  request: string;
  /** The files whose bytes go into it, in their order. */
  inlined: InlinedFile[];
  attempts: number;
  retrying_ms: number;
  received_at: number;
  next_attempt_at: number;
}

export interface FailedAttempt {
  error: string;
  status: number | null;
  /** Wall-clock ms. */
  nextAttemptAt: number;
  /** The wait until then, ms: it counts towards the time limit. */
  waitMs: number;
  /** The message is at fault, not the backend: it leaves its chat's lane. */
  detach: boolean;
}

export interface LaneHead {
  chat: number;
  next_attempt_at: number;
}

/** A message under an id, and where it was written. */
interface IdUser {
  seq: number;
  chat: number;
  chat_id: string;
}

/** The messages' side of the store. States: `pending → delivered | dead`. */
export class Messages {
  readonly #commit: GroupCommit;
  readonly #counters: Counters;
  readonly #failures: Failures;
  readonly #commands: Commands;
  readonly #media: Media;
  readonly #clock: Clock;
  readonly #time: ProvenTime;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(
    db: Database.Database,
    commit: GroupCommit,
    counters: Counters,
    failures: Failures,
    commands: Commands,
    media: Media,
    clock: Clock,
    time: ProvenTime,
  ) {
    this.#commit = commit;
    this.#counters = counters;
    this.#failures = failures;
    this.#commands = commands;
    this.#media = media;
    this.#clock = clock;
    this.#time = time;
    this.#sql = prepare(db);
  }

  /**
   * Whether a file that a new message counts on is not here, so that it can't be accepted yet. A message that is known needs none: its files are there,
   * or were forgotten with it. Throws when the disk can't be read.
   */
  lacksFile(message: InboundMessage): boolean {
    if (!this.#media.lacksFile(message)) return false;
    const chat = this.#sql.chat.get(message.account_id, message.chat_id)?.chat;
    return this.#known(this.#sql.usersOfId.all(message.message_id), chat, message) === undefined;
  }

  /** The shop's number that the message was written to, as OpenClaw names it; null if that is not known, or can't be read. */
  writtenTo(seq: number): string | null {
    const row = unlessDamaged(
      () => this.#sql.writtenTo.get(seq),
      () => undefined,
    );
    return typeof row?.number === "string" ? row.number : null;
  }

  /**
   * Takes a message into the store. Resolves when it is on disk; only then may it be acked. Idempotent by account, chat and message id.
   * Two accounts in one group, or on one customer's broadcast list, get the same message under the same id. Its key is that id, so Hot Bags
   * can have it once: the copy that came first counts. A message id that something else has used would make Hot Bags see one key with
   * two bodies: the message is kept as a dead letter. Rejects with FileMissingError when a file is not here.
   */
  async accept(message: InboundMessage): Promise<Accepted> {
    const laidOut = this.#media.layOut(message);
    const order = `${message.account_id} ${message.chat_id}`;
    const write = () => {
      const chat = this.#chatOf(message.account_id, message.chat_id);
      const users = this.#sql.usersOfId.all(message.message_id);
      const known = this.#known(users, chat, message);
      if (known) return { seq: known.seq, chat: known.chat, duplicate: true, refusal: null };
      // Looked up again: one that only delivered messages had can have been given up since.
      if (!laidOut || this.#media.lacksFile(message)) throw new FileMissingError("a file of the message is not here");
      const refusal = users.length > 0 ? "its message_id was already used in another chat" : null;
      const now = this.#clock.now();
      const state = refusal ? "dead" : "pending";
      const { lastInsertRowid } = this.#sql.insert.run(
        chat,
        message.message_id,
        state,
        now,
        refusal ? now : null,
        refusal,
        this.#time.now(),
      );
      const seq = Number(lastInsertRowid);
      this.#sql.insertPayload.run(seq, laidOut.request);
      this.#media.record(seq, laidOut.files);
      this.#counters.add("accepted", 1);
      this.#counters.add(state, 1);
      if (refusal) this.#failures.note("dead", seq, refusal);
      return { seq, chat, duplicate: false, refusal };
    };
    return this.#commit.run("accept", write, order);
  }

  /**
   * When the last message came (wall-clock ms), and how long ago that was by the proven time, ms; null when none is
   * known, or it can't be read. One that waited for Hot Bags counts from its delivery.
   */
  lastAccepted(): { at: number; agoMs: number } | null {
    const last = unlessDamaged(
      () => this.#sql.lastAccepted.get(),
      () => undefined,
    );
    return last ? { at: last.received_at, agoMs: Math.max(0, this.#time.now() - last.state_since) } : null;
  }

  /**
   * When the first message of each lane that has one is due. Read once at start; costs one index pass. Where a page
   * can't be read, every chat may have one.
   */
  laneHeads(): LaneHead[] {
    return unlessDamaged(
      () => this.#sql.laneHeads.all(),
      () => this.#sql.chats.all(),
    );
  }

  /** The same of the detached messages of each chat that has any. */
  detachedHeads(): LaneHead[] {
    return unlessDamaged(
      () => this.#sql.detachedHeads.all(),
      () => this.#sql.chats.all(),
    );
  }

  /** The message that is next in a chat's lane. Costs the same however long the lane is. Throws RowUnreadableError. */
  headOf(chat: number): PendingMessage | undefined {
    const { head, headSeq } = this.#sql;
    return readRow(
      "message",
      () => this.#withFiles(head.get(chat)),
      () => headSeq.get(chat)?.seq,
    );
  }

  /** The message that comes after this one in a chat's lane. Throws RowUnreadableError. */
  behind(chat: number, seq: number): PendingMessage | undefined {
    const { behind, behindSeq } = this.#sql;
    return readRow(
      "message",
      () => this.#withFiles(behind.get(chat, seq)),
      () => behindSeq.get(chat, seq)?.seq,
    );
  }

  /** When the first of a chat's detached messages is due, wall-clock ms; undefined when there is none. */
  detachedDueOf(chat: number): number | undefined {
    return this.#sql.detachedDue.get(chat)?.next_attempt_at;
  }

  /** The one of a chat's detached messages that is due first. Throws RowUnreadableError. */
  firstDetachedOf(chat: number): PendingMessage | undefined {
    const { firstDetached, detachedDue } = this.#sql;
    return readRow(
      "message",
      () => this.#withFiles(firstDetached.get(chat)),
      () => detachedDue.get(chat)?.seq,
    );
  }

  /**
   * Files that went along with a message can't be read any more: from now on its body says so instead, and that is on
   * disk before the next attempt. Resolves with the message as it is then. Only this and `leaveFilesOut` change a body.
   */
  filesLost(message: PendingMessage, lost: readonly InlinedFile[]): Promise<PendingMessage> {
    return this.#changeBody("file-lost", message, () => this.#media.lose(message.seq, message.request, lost));
  }

  /** Hot Bags takes no body of this size: the same for all files, which are kept. */
  leaveFilesOut(message: PendingMessage): Promise<PendingMessage> {
    return this.#changeBody("files-left-out", message, () =>
      this.#media.leaveOut(message.seq, message.request, message.inlined),
    );
  }

  /**
   * Hot Bags answered with 2xx: the response, `delivered` and the commands, in one transaction. Resolves with the commands as they were
   * recorded; those in state `pending` are to be executed.
   */
  delivered(seq: number, status: number, response: string, commands: CommandFromResponse[]) {
    return this.#commit.run("delivered", () => {
      const now = this.#clock.now();
      const row = this.#settle("delivered", seq, now, status, null);
      // Settled before, which a retried commit can find: the commands are in already.
      if (!row) return [];
      this.#sql.storeResponse.run(response, seq);
      this.#media.settle(seq, now);
      return this.#commands.record(seq, row.chat, commands);
    });
  }

  /** An attempt failed and another one will follow. Resolves with whether the message left its chat's lane by it. */
  failed(seq: number, { detach, ...attempt }: FailedAttempt): Promise<boolean> {
    return this.#commit.run("attempt-failed", () => {
      this.#sql.failed.run({ seq, now: this.#clock.now(), ...attempt });
      return detach && this.#detach(seq, attempt.error);
    });
  }

  /** The last attempt failed: the message waits for the operator. */
  dead(seq: number, status: number | null, error: string): Promise<void> {
    return this.#commit.run("dead", () => {
      if (this.#settle("dead", seq, this.#clock.now(), status, error)) this.#failures.note("dead", seq, error);
    });
  }

  /**
   * A message that can't be read, or whose outcome can't be written, since a page is damaged. It becomes a dead letter.
   * Where its state can't be written either it stays as it is on the page, is counted as dead, and passed over.
   */
  async giveUp(seq: number, wasDetached: boolean, reason: string): Promise<void> {
    try {
      await this.dead(seq, null, reason);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#commit.run("passed-over", () => this.#passOver(seq, wasDetached, "dead"));
    }
  }

  /** The same for one that Hot Bags has answered: its commands are recorded, as `delivered` would have done. */
  giveUpDelivered(
    { seq, chat }: PendingMessage,
    wasDetached: boolean,
    commands: CommandFromResponse[],
  ): Promise<RecordedCommand[]> {
    return this.#commit.run("passed-over", () =>
      this.#passOver(seq, wasDetached, "delivered") ? this.#commands.record(seq, chat, commands) : [],
    );
  }

  /** How long the oldest message that waits has waited, ms; 0 when none waits. */
  longestWaitMs(): number {
    const oldest = this.#sql.oldestPending.get();
    return oldest ? Math.max(0, this.#time.now() - oldest.state_since) : 0;
  }

  #detach(seq: number, error: string): boolean {
    this.#failures.note("detached", seq, error);
    const left = this.#sql.detach.run(seq).changes === 1;
    if (left) this.#counters.add("detached", 1);
    return left;
  }

  #changeBody(name: "file-lost" | "files-left-out", message: PendingMessage, change: () => string) {
    return this.#commit.run(name, () => {
      const request = change();
      this.#sql.changeRequest.run(request, message.seq);
      return { ...message, request, inlined: this.#media.inlinedOf(message.seq) };
    });
  }

  /** Undefined, and nothing is written, where the message was settled before. */
  #settle(state: "delivered" | "dead", seq: number, now: number, status: number | null, error: string | null) {
    const row = this.#sql.settle.get(state, now, this.#time.now(), status, error, seq);
    if (!row) return undefined;
    this.#counters.add("pending", -1);
    this.#counters.add(state, 1);
    if (row.detached === 1) this.#counters.add("detached", -1);
    return row;
  }

  #passOver(seq: number, wasDetached: boolean, to: "dead" | "delivered"): boolean {
    if (this.#sql.passOver.run(seq).changes === 0) return false;
    this.#counters.add("pending", -1);
    this.#counters.add(to, 1);
    if (wasDetached) this.#counters.add("detached", -1);
    return true;
  }

  #withFiles(row: Omit<PendingMessage, "inlined"> | undefined): PendingMessage | undefined {
    return row && { ...row, inlined: this.#media.inlinedOf(row.seq) };
  }

  /** The row of this message, among those of its id: in its own chat, or as the same message in another account's. */
  #known(users: IdUser[], chat: number | undefined, message: InboundMessage): IdUser | undefined {
    const isCopy = (row: IdUser) => row.chat_id === message.chat_id && this.#isCopy(row.seq, message);
    return users.find((row) => row.chat === chat) ?? users.find(isCopy);
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

/**
 * `+?` instead of `?`: SQLite (STAT4) plans a statement anew for each value that it compares with the condition of a
 * partial index, which takes five times as long as running it, but not for an expression.
 */
function prepare(db: Database.Database) {
  const pending = `SELECT m.seq, m.chat, m.message_id, c.account_id, c.chat_id, p.request, m.attempts, m.retrying_ms, m.received_at, m.next_attempt_at
    FROM messages m JOIN chats c USING (chat) JOIN payloads p USING (seq)`;
  const notPassedOver = "NOT EXISTS (SELECT 1 FROM passed_over_messages o WHERE o.seq = messages.seq)";
  // By indexes alone, so that they tell of rows that can't be read.
  const inLane = `state = 'pending' AND detached = 0 AND ${notPassedOver}`;
  const detached = `state = 'pending' AND detached = 1 AND ${notPassedOver}`;
  const heads = `SELECT chat, min(seq) AS seq FROM messages WHERE ${inLane} GROUP BY chat`;
  const headSeq = `SELECT seq FROM messages WHERE chat = +? AND ${inLane} ORDER BY seq LIMIT 1`;
  const behindSeq = `SELECT seq FROM messages WHERE chat = +? AND seq > +? AND ${inLane} ORDER BY seq LIMIT 1`;
  const firstDetached = `FROM messages WHERE chat = +? AND ${detached} ORDER BY next_attempt_at LIMIT 1`;
  return {
    chat: db.prepare<[string, string], { chat: number }>("SELECT chat FROM chats WHERE account_id = ? AND chat_id = ?"),
    lastAccepted: db.prepare<[], { received_at: number; state_since: number }>(
      "SELECT received_at, state_since FROM messages WHERE seq = (SELECT max(seq) FROM messages)",
    ),
    insertChat: db.prepare<[string, string]>("INSERT INTO chats (account_id, chat_id) VALUES (?, ?)"),
    usersOfId: db.prepare<[string], IdUser>(
      "SELECT seq, chat, chat_id FROM messages JOIN chats USING (chat) WHERE message_id = +?",
    ),
    request: db.prepare<[number], { request: string }>("SELECT request FROM payloads WHERE seq = ?"),
    insert: db.prepare<[number, string, string, number, number | null, string | null, number]>(
      "INSERT INTO messages (chat, message_id, state, received_at, settled_at, last_error, state_since) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    insertPayload: db.prepare<[number, string]>("INSERT INTO payloads (seq, request) VALUES (?, ?)"),
    writtenTo: db.prepare<[number], { number: unknown }>(
      "SELECT json_extract(request, '$.raw.To') AS number FROM payloads WHERE seq = ?",
    ),
    storeResponse: db.prepare<[string, number]>("UPDATE payloads SET response = ? WHERE seq = ?"),
    changeRequest: db.prepare<[string, number]>("UPDATE payloads SET request = ? WHERE seq = ?"),
    laneHeads: db.prepare<[], LaneHead>(
      `SELECT h.chat, m.next_attempt_at FROM (${heads}) h JOIN messages m USING (seq) ORDER BY h.seq`,
    ),
    chats: db.prepare<[], LaneHead>("SELECT chat, 0 AS next_attempt_at FROM chats"),
    detachedHeads: db.prepare<[], LaneHead>(
      `SELECT chat, min(next_attempt_at) AS next_attempt_at FROM messages WHERE ${detached} GROUP BY chat`,
    ),
    head: db.prepare<[number], Omit<PendingMessage, "inlined">>(`${pending} WHERE m.seq = (${headSeq})`),
    headSeq: db.prepare<[number], { seq: number }>(headSeq),
    behind: db.prepare<[number, number], Omit<PendingMessage, "inlined">>(`${pending} WHERE m.seq = (${behindSeq})`),
    behindSeq: db.prepare<[number, number], { seq: number }>(behindSeq),
    firstDetached: db.prepare<[number], Omit<PendingMessage, "inlined">>(
      `${pending} WHERE m.seq = (SELECT seq ${firstDetached})`,
    ),
    detachedDue: db.prepare<[number], { seq: number; next_attempt_at: number }>(
      `SELECT seq, next_attempt_at ${firstDetached}`,
    ),
    passOver: db.prepare<[number]>("INSERT OR IGNORE INTO passed_over_messages (seq) VALUES (?)"),
    settle: db.prepare<
      [string, number, number, number | null, string | null, number],
      { chat: number; detached: number }
    >(
      "UPDATE messages SET state = ?, attempts = attempts + 1, settled_at = ?, state_since = ?, status = ?, last_error = ? WHERE seq = ? AND state = 'pending' RETURNING chat, detached",
    ),
    failed: db.prepare(
      `UPDATE messages SET attempts = attempts + 1, retrying_ms = retrying_ms + @waitMs, last_attempt_at = @now, next_attempt_at = @nextAttemptAt,
         status = @status, last_error = @error WHERE seq = @seq AND state = 'pending'`,
    ),
    detach: db.prepare<[number]>(
      "UPDATE messages SET detached = 1 WHERE seq = ? AND state = 'pending' AND detached = 0",
    ),
    oldestPending: db.prepare<[], { state_since: number }>(
      `SELECT state_since FROM messages WHERE seq =
         (SELECT min(seq) FROM messages INDEXED BY messages_pending WHERE state = 'pending' AND ${notPassedOver})`,
    ),
  };
}
