import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { type Captured, keyOf } from "./capture.ts";
import { migrate } from "./schema.ts";

/** Seven days of a busy shop (about 20 messages a minute, day and night) with the sidecar away all the time. */
const MAX_OUTBOX_MESSAGES = 200_000;
/** Bytes of message bodies; the file itself is up to a third larger. */
const MAX_OUTBOX_BYTES = 1024 ** 3;
/**
 * How long a statement may wait for another process (a backup) before it fails; the whole gateway stands still
 * meanwhile.
 */
const BUSY_TIMEOUT_MS = 250;
/** The WAL shrinks back to this after a checkpoint, or one outage would keep its size for good. */
const WAL_LIMIT_BYTES = 16 * 1024 * 1024;

/** The outbox is at its limit: the message is not stored, and nothing else was thrown away for it. */
export class OutboxFullError extends Error {
  override name = "OutboxFullError";
}

export type Row = {
  seq: number;
  account: string;
  chat: string;
  messageId: string;
  held: boolean;
  bytes: number;
  body: string;
};
export type Totals = { waiting: number; waitingBytes: number; parked: number; parkedBytes: number };
export type Limits = { messages: number; bytes: number };

/**
 * Messages that the sidecar has not confirmed, in one SQLite file. Every write is on disk when the call returns
 * (`synchronous=FULL`), and every call is synchronous: a hook that returns has left nothing in memory.
 *
 * A message is `held` (seen by the net, waiting for the complete capture) or ready; it leaves by `remove`
 * (acknowledged) or `park` (refused for good).
 */
export class Outbox {
  readonly #db: DatabaseSync;
  readonly #limits: Limits;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens or creates the file. Throws `NewerOutboxError`, or what SQLite says of a file or disk that cannot be used.
   */
  constructor(file: string, limits: Limits = { messages: MAX_OUTBOX_MESSAGES, bytes: MAX_OUTBOX_BYTES }) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#limits = limits;
    this.#db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    try {
      this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      this.#db.exec(`PRAGMA journal_size_limit = ${WAL_LIMIT_BYTES}`);
      if (this.synchronous() !== 2)
        throw new Error(`${file}: PRAGMA synchronous is not FULL, a power cut would lose messages`);
      migrate(this.#db, file);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** SQLite's own word for how it syncs: 2 is FULL. */
  synchronous(): number {
    return Number(this.#db.prepare("PRAGMA synchronous").get()?.["synchronous"]);
  }

  /**
   * Stores what a hook captured. A held message is completed by the first capture that isn't held; any other second
   * capture of the same message changes nothing. Returns the row to send, or undefined if there is nothing new to send.
   * Throws `OutboxFullError`, or SQLite's error.
   */
  put(captured: Captured, nowMs: number, held = false): { seq: number } | undefined {
    if (!captured.ok) return void this.#parkCapture(captured, nowMs);
    const { message } = captured;
    const key = keyOf(captured);
    if (this.#one("SELECT 1 FROM parked WHERE account = ? AND chat = ? AND message_id = ?", ...key) !== undefined)
      return undefined;
    const body = JSON.stringify(message);
    const bytes = Buffer.byteLength(body);
    if (!this.#hasRoom(bytes) && this.#one(KNOWN, ...key) === undefined) throw this.#full();
    const row = this.#one(PUT, ...key, nowMs, held ? 1 : 0, bytes, body);
    return row === undefined ? undefined : { seq: Number(row["seq"]) };
  }

  /** Makes a held message ready as it is: nothing more complete came. Returns whether it was still held. */
  release(seq: number): boolean {
    return Number(this.#statement("UPDATE waiting SET held = 0 WHERE seq = ? AND held = 1").run(seq).changes) > 0;
  }

  /** The held messages, oldest first, at most 1,000. */
  held(): number[] {
    return this.#statement("SELECT seq FROM waiting WHERE held = 1 ORDER BY seq LIMIT 1000")
      .all()
      .map((row) => Number(row["seq"]));
  }

  /** The places of the messages after `seq`, in order of arrival. */
  after(seq: number, limit: number): number[] {
    return this.#statement("SELECT seq FROM waiting WHERE seq > ? ORDER BY seq LIMIT ?")
      .all(seq, limit)
      .map((row) => Number(row["seq"]));
  }

  get(seq: number): Row | undefined {
    const row = this.#one("SELECT * FROM waiting WHERE seq = ?", seq);
    return row === undefined ? undefined : asRow(row);
  }

  /** The message that must be sent before this one: the chat's next older one that still waits. */
  predecessor(row: Row): number | undefined {
    const older = this.#one(PREDECESSOR, row.account, row.chat, row.seq);
    return older === undefined ? undefined : Number(older["seq"]);
  }

  /** Forgets acknowledged messages, all in one transaction. */
  remove(seqs: readonly number[]): void {
    this.#transaction(() => {
      for (const seq of seqs) this.#statement("DELETE FROM waiting WHERE seq = ?").run(seq);
    });
  }

  /** Sets a message aside for the operator, so that it neither blocks the others nor is lost. */
  park(seq: number, code: string, reason: string, nowMs: number): void {
    this.#transaction(() => {
      this.#statement(PARK).run(nowMs, code, reason, seq);
      this.#statement("DELETE FROM waiting WHERE seq = ?").run(seq);
    });
  }

  totals(): Totals {
    const row = this.#one("SELECT * FROM totals");
    return {
      waiting: Number(row?.["waiting"]),
      waitingBytes: Number(row?.["waiting_bytes"]),
      parked: Number(row?.["parked"]),
      parkedBytes: Number(row?.["parked_bytes"]),
    };
  }

  /** When the oldest waiting message was captured, in milliseconds since 1970. */
  oldestMs(): number | undefined {
    const row = this.#one("SELECT captured_at FROM waiting ORDER BY seq LIMIT 1");
    return row === undefined ? undefined : Number(row["captured_at"]);
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #parkCapture(captured: Extract<Captured, { ok: false }>, nowMs: number): void {
    const body = JSON.stringify(captured.evidence);
    const bytes = Buffer.byteLength(body);
    if (!this.#hasRoom(bytes)) throw this.#full();
    this.#statement(PARK_CAPTURE).run(...keyOf(captured), nowMs, nowMs, "bad_message", captured.reason, bytes, body);
  }

  #hasRoom(bytes: number): boolean {
    const { waiting, parked, waitingBytes, parkedBytes } = this.totals();
    return waiting + parked < this.#limits.messages && waitingBytes + parkedBytes + bytes <= this.#limits.bytes;
  }

  #full(): OutboxFullError {
    const { waiting, parked, waitingBytes, parkedBytes } = this.totals();
    return new OutboxFullError(
      `the outbox is full: ${waiting} waiting and ${parked} parked messages (limit ${this.#limits.messages}), ` +
        `${waitingBytes + parkedBytes} bytes (limit ${this.#limits.bytes}); start the sidecar so that it drains`,
    );
  }

  #transaction(run: () => void): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      run();
      this.#db.exec("COMMIT");
    } catch (error) {
      // A full disk may have rolled back already; then ROLLBACK itself would throw and hide the reason.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #one(sql: string, ...values: (string | number)[]): Record<string, SQLOutputValue> | undefined {
    return this.#statement(sql).get(...values);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

const KNOWN = "SELECT 1 FROM waiting WHERE account = ? AND chat = ? AND message_id = ?";
const PUT = `INSERT INTO waiting (account, chat, message_id, captured_at, held, bytes, body) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (account, chat, message_id) DO UPDATE SET held = 0, bytes = excluded.bytes, body = excluded.body
  WHERE waiting.held = 1 AND excluded.held = 0 RETURNING seq`;
const PREDECESSOR = "SELECT seq FROM waiting WHERE account = ? AND chat = ? AND seq < ? ORDER BY seq DESC LIMIT 1";
const PARK = `INSERT OR IGNORE INTO parked (account, chat, message_id, captured_at, parked_at, code, reason, bytes, body)
  SELECT account, chat, message_id, captured_at, ?, ?, ?, bytes, body FROM waiting WHERE seq = ?`;
const PARK_CAPTURE = `INSERT OR IGNORE INTO parked (account, chat, message_id, captured_at, parked_at, code, reason, bytes, body)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

function asRow(row: Record<string, SQLOutputValue>): Row {
  return {
    seq: Number(row["seq"]),
    account: String(row["account"]),
    chat: String(row["chat"]),
    messageId: String(row["message_id"]),
    held: row["held"] === 1,
    bytes: Number(row["bytes"]),
    body: String(row["body"]),
  };
}
