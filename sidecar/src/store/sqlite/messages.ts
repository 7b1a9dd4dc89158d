import type { InboundMessage } from "@hotbags/shared";
import type Database from "better-sqlite3";
import * as z from "zod";
import type { CommandFromResponse, HandOver, RecordedCommand } from "../commands.ts";
import { DAMAGED, isDamage } from "../errors.ts";
import type { InlinedFile, LaidOut } from "../lay-out.ts";
import type { Accepted, FailedAttempt, LaneHead, MessageStore, PendingMessage } from "../messages.ts";
import { readListed, unlessDamaged } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";
import { HAS_FILE, type Media } from "./media.ts";
import type { MessageWrites } from "./message-writes.ts";
import type { ProvenTime } from "./proven-time.ts";

/** A flipped bit can make anything of a row. */
const pendingRow = z.object({
  seq: z.int(),
  chat: z.int(),
  message_id: z.string(),
  account_id: z.string(),
  chat_id: z.string(),
  request: z.string(),
  attempts: z.int(),
  retrying_ms: z.int(),
  received_at: z.int(),
  next_attempt_at: z.int(),
});

interface MessagesParts {
  db: Database.Database;
  commit: GroupCommit;
  writes: MessageWrites;
  media: Media;
  time: ProvenTime;
}

/** See MessageStore. */
export class Messages implements MessageStore {
  readonly handsOver = true;
  readonly #commit: GroupCommit;
  readonly #writes: MessageWrites;
  readonly #media: Media;
  readonly #time: ProvenTime;
  readonly #sql: ReturnType<typeof prepare>;

  constructor({ db, commit, writes, media, time }: MessagesParts) {
    this.#commit = commit;
    this.#writes = writes;
    this.#media = media;
    this.#time = time;
    this.#sql = prepare(db);
  }

  accept(message: InboundMessage): Promise<Accepted> {
    const laidOut = this.#layOut(message);
    const order = `${message.account_id} ${message.chat_id}`;
    return this.#commit.run("accept", () => this.#writes.accept(message, laidOut()), order);
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

  /** How long ago Hot Bags took a message last, ms; null where none is known, or it can't be read. */
  lastDeliveredAgoMs(): number | null {
    const latest = (hasText: 0 | 1) =>
      unlessDamaged(
        () => this.#sql.lastDelivered.get(hasText)?.at ?? null,
        () => null,
      );
    const at = Math.max(latest(0) ?? 0, latest(1) ?? 0);
    return at === 0 ? null : Math.max(0, this.#time.now() - at);
  }

  async laneHeads(): Promise<LaneHead[]> {
    return unlessDamaged(
      () => this.#sql.laneHeads.all(),
      () => this.#sql.chats.all(),
    );
  }

  async detachedHeads(): Promise<LaneHead[]> {
    return unlessDamaged(
      () => this.#sql.detachedHeads.all(),
      () => this.#sql.chats.all(),
    );
  }

  async headOf(chat: number): Promise<PendingMessage | undefined> {
    const { head, headSeq } = this.#sql;
    return readListed(
      "message",
      () => this.#withFiles(head.get(chat)),
      () => headSeq.get(chat)?.seq,
    );
  }

  async headSeqOf(chat: number): Promise<number | undefined> {
    return unlessDamaged(
      () => this.#sql.headSeq.get(chat)?.seq,
      () => undefined,
    );
  }

  async behind(chat: number, seq: number): Promise<PendingMessage | undefined> {
    const { behind, behindSeq } = this.#sql;
    return readListed(
      "message",
      () => this.#withFiles(behind.get(chat, seq)),
      () => behindSeq.get(chat, seq)?.seq,
    );
  }

  async detachedDueOf(chat: number): Promise<number | undefined> {
    return this.#sql.detachedDue.get(chat)?.next_attempt_at;
  }

  async firstDetachedOf(chat: number): Promise<PendingMessage | undefined> {
    const { firstDetached, detachedDue } = this.#sql;
    return readListed(
      "message",
      () => this.#withFiles(firstDetached.get(chat)),
      () => detachedDue.get(chat)?.seq,
    );
  }

  filesLost(message: PendingMessage, lost: readonly InlinedFile[]): Promise<PendingMessage> {
    return this.#changeBody("file-lost", message, () => this.#media.lose(message.seq, message.request, lost));
  }

  leaveFilesOut(message: PendingMessage): Promise<PendingMessage> {
    return this.#changeBody("files-left-out", message, () =>
      this.#media.leaveOut(message.seq, message.request, message.inlined),
    );
  }

  delivered(
    seq: number,
    status: number,
    response: string,
    commands: CommandFromResponse[],
    durationMs?: number,
    handOver?: HandOver,
  ): Promise<RecordedCommand[]> {
    return this.#commit.run("delivered", () =>
      this.#writes.delivered(seq, { status, durationMs }, response, commands, handOver),
    );
  }

  failed(seq: number, attempt: FailedAttempt): Promise<boolean> {
    return this.#commit.run("attempt-failed", () => this.#writes.failed(seq, attempt));
  }

  dead(seq: number, status: number | null, error: string, durationMs?: number): Promise<void> {
    return this.#commit.run("dead", () => this.#writes.dead(seq, { status, error, durationMs }));
  }

  async giveUp(seq: number, wasDetached: boolean): Promise<void> {
    try {
      await this.dead(seq, null, DAMAGED);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const message = this.#writes.readDamaged(seq);
      await this.#commit.run("passed-over", () => this.#writes.giveUp(message, wasDetached, DAMAGED));
    }
  }

  giveUpDelivered(
    { seq, chat, message_id: messageId }: PendingMessage,
    wasDetached: boolean,
    commands: CommandFromResponse[],
  ): Promise<RecordedCommand[]> {
    const message = { ...this.#writes.readDamaged(seq), chat, messageId };
    return this.#commit.run("passed-over", () => this.#writes.giveUpDelivered(message, wasDetached, commands));
  }

  /** How long the oldest message that waits has waited, ms; 0 when none waits. */
  longestWaitMs(): number {
    const oldest = this.#sql.oldestPending.get();
    return oldest ? Math.max(0, this.#time.now() - oldest.state_since) : 0;
  }

  /** Where the disk can't be read, that is said in the message's turn: nothing that comes behind it must pass it. */
  #layOut(message: InboundMessage): () => LaidOut | undefined {
    try {
      const laidOut = this.#media.layOut(message);
      return () => laidOut;
    } catch (error) {
      return () => {
        throw error;
      };
    }
  }

  #changeBody(name: "file-lost" | "files-left-out", message: PendingMessage, change: () => string) {
    return this.#commit.run(name, () => {
      const request = change();
      this.#writes.changeRequest(message.seq, request);
      return { ...message, request, inlined: this.#media.inlinedOf(message.seq) };
    });
  }

  /** Undefined where there is no row, or it makes no sense. */
  #withFiles(found: unknown): PendingMessage | undefined {
    const row = pendingRow.safeParse(found).data;
    return row && { ...row, inlined: row.request.includes(HAS_FILE) ? this.#media.inlinedOf(row.seq) : [] };
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
    lastAccepted: db.prepare<[], { received_at: number; state_since: number }>(
      "SELECT received_at, state_since FROM messages WHERE outbound IS NULL ORDER BY seq DESC LIMIT 1",
    ),
    lastDelivered: db.prepare<[0 | 1], { at: number | null }>(
      `SELECT state_since AS at FROM messages INDEXED BY messages_delivered
       WHERE state = 'delivered' AND has_text = ? AND outbound IS NULL ORDER BY state_since DESC LIMIT 1`,
    ),
    laneHeads: db.prepare<[], LaneHead>(
      `SELECT h.chat, m.next_attempt_at FROM (${heads}) h JOIN messages m USING (seq) ORDER BY h.seq`,
    ),
    chats: db.prepare<[], LaneHead>("SELECT chat, 0 AS next_attempt_at FROM chats"),
    detachedHeads: db.prepare<[], LaneHead>(
      `SELECT chat, min(next_attempt_at) AS next_attempt_at FROM messages WHERE ${detached} GROUP BY chat`,
    ),
    head: db.prepare<[number]>(`${pending} WHERE m.seq = (${headSeq})`),
    headSeq: db.prepare<[number], { seq: number }>(headSeq),
    behind: db.prepare<[number, number]>(`${pending} WHERE m.seq = (${behindSeq})`),
    behindSeq: db.prepare<[number, number], { seq: number }>(behindSeq),
    firstDetached: db.prepare<[number]>(`${pending} WHERE m.seq = (SELECT seq ${firstDetached})`),
    detachedDue: db.prepare<[number], { seq: number; next_attempt_at: number }>(
      `SELECT seq, next_attempt_at ${firstDetached}`,
    ),
    oldestPending: db.prepare<[], { state_since: number }>(
      `SELECT state_since FROM messages WHERE seq =
         (SELECT min(seq) FROM messages INDEXED BY messages_pending WHERE state = 'pending' AND ${notPassedOver})`,
    ),
  };
}
