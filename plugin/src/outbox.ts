import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { type InboundMessage, type Omitted, step } from "@hotbags/shared";
import { type Captured, keyOf } from "./capture.ts";
import { MediaFolder } from "./media-folder.ts";
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
  /** Files that the sidecar must have before the message. */
  files: number;
  /** Where OpenClaw keeps the message's files, as long as they are not copied. */
  sources: (string | null)[] | undefined;
  bytes: number;
  body: string;
};
export type StoredFile = { sha256: string; sizeBytes: number };
export type Totals = {
  waiting: number;
  waitingBytes: number;
  parked: number;
  parkedBytes: number;
  /** Files of waiting and parked messages in our folder, each counted once. */
  files: number;
  fileBytes: number;
};
export type Limits = { messages: number; bytes: number };

/**
 * Messages that the sidecar has not confirmed, in one SQLite file. Every write is on disk when the call returns
 * (`synchronous=FULL`), and every call is synchronous: a hook that returns has left nothing in memory.
 *
 * A message is `held` (seen by the net, waiting for the complete capture; or waiting for its files to be copied) or
 * ready; it leaves by `remove` (acknowledged) or `park` (refused for good). Its files are in the folder `media` beside
 * the database, and go with the last message that has them.
 */
export class Outbox {
  readonly #db: DatabaseSync;
  readonly #limits: Limits;
  readonly #statements = new Map<string, StatementSync>();
  /** Files that no message needs any more, still to be removed. */
  readonly #unneeded = new Set<string>();
  readonly media: MediaFolder;

  /**
   * Opens or creates the file. Throws `NewerOutboxError`, or what SQLite says of a file or disk that cannot be used.
   */
  constructor(file: string, limits: Limits = { messages: MAX_OUTBOX_MESSAGES, bytes: MAX_OUTBOX_BYTES }) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#limits = limits;
    this.media = new MediaFolder(join(dirname(file), "media"));
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
   * capture of the same message changes nothing. One with `sources` stays held until `complete`. Returns the row that is
   * new or was changed, or undefined. Throws `OutboxFullError`, or SQLite's error.
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
    const { sources } = captured;
    const level = held ? SEEN_BY_NET : sources === undefined ? READY : WITHOUT_FILES;
    const listed = sources === undefined ? null : JSON.stringify(sources);
    const row = this.#one(PUT, ...key, nowMs, level, bytes, body, listed);
    return row === undefined ? undefined : { seq: Number(row["seq"]) };
  }

  /** Makes a held message ready as it is: nothing more complete came. Returns whether it was still held. */
  release(seq: number): boolean {
    return (
      Number(
        this.#statement("UPDATE waiting SET held = 0, sources = NULL WHERE seq = ? AND held > 0").run(seq).changes,
      ) > 0
    );
  }

  /**
   * Makes a held message ready with its files. `copies` are whole and on disk; they get their names within the same
   * transaction. False if it is not held any more: then nothing was done. Throws SQLite's or the disk's error.
   */
  complete(seq: number, message: InboundMessage, copies: readonly (StoredFile & { part: string })[]): boolean {
    return this.#transaction(() => {
      const row = this.get(seq);
      if (!row?.held) return false;
      this.media.keep(copies);
      const key = [row.account, row.chat, row.messageId] as const;
      for (const { sha256, sizeBytes } of copies) {
        this.#statement("INSERT OR IGNORE INTO files (sha256, bytes) VALUES (?, ?)").run(sha256, sizeBytes);
        this.#statement("INSERT OR IGNORE INTO uses (account, chat, message_id, sha256) VALUES (?, ?, ?, ?)").run(
          ...key,
          sha256,
        );
      }
      const files = new Set(copies.map(({ sha256 }) => sha256)).size;
      const body = JSON.stringify(message);
      this.#statement(COMPLETE).run(files, Buffer.byteLength(body), body, seq);
      return true;
    });
  }

  /** The files that the sidecar must have before this message. */
  filesOf(row: Row): StoredFile[] {
    return this.#statement(FILES_OF)
      .all(row.account, row.chat, row.messageId)
      .map((file) => ({ sha256: String(file["sha256"]), sizeBytes: Number(file["bytes"]) }));
  }

  /** Lets a waiting message go without one of its files, for ever: each attempt must carry the same content. */
  omit(seq: number, sha256: string, reason: Omitted): void {
    step("omit:before-commit");
    this.#transaction(() => {
      const row = this.get(seq);
      if (row === undefined) return;
      const message: InboundMessage = JSON.parse(row.body);
      const media = message.media.map((item) => {
        return item.sha256 === sha256 && item.omitted === undefined ? { ...item, omitted: reason } : item;
      });
      const body = JSON.stringify({ ...message, media });
      this.#statement(OMIT).run(Buffer.byteLength(body), body, seq);
      const { account, chat, messageId } = row;
      this.#statement(`${END_USE} AND sha256 = ?`).run(account, chat, messageId, sha256);
    });
    step("omit:after-commit");
    this.#discard([sha256]);
  }

  /**
   * Removes the files that no message needs: what was left behind by a process that was killed between a file and its
   * message, or a message and its file. Takes its time; rejects if the outbox or the disk fails meanwhile.
   */
  async sweep(): Promise<void> {
    try {
      for await (const names of this.media.sweep()) this.#discard(names);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }

  /** The held messages, oldest first, at most 1,000. */
  held(): number[] {
    return this.#statement("SELECT seq FROM waiting WHERE held > 0 ORDER BY seq LIMIT 1000")
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

  /** The chat's next message after this one. */
  successor(row: Row): number | undefined {
    const newer = this.#one(SUCCESSOR, row.account, row.chat, row.seq);
    return newer === undefined ? undefined : Number(newer["seq"]);
  }

  /** Forgets acknowledged messages, all in one transaction, and the files that no other message has. */
  remove(seqs: readonly number[]): void {
    const files: string[] = [];
    this.#transaction(() => {
      for (const seq of seqs) {
        for (const file of this.#statement(FILES_AT).all(seq)) files.push(String(file["sha256"]));
        this.#statement("DELETE FROM waiting WHERE seq = ?").run(seq);
      }
    });
    this.#discard(files);
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
      files: Number(row?.["files"]),
      fileBytes: Number(row?.["file_bytes"]),
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

  /**
   * Removes those of the files that no message needs, under the write lock: another instance may be about to need one.
   * Never throws: the messages are settled, and what is left is tried again with the next files, or at the next start.
   */
  #discard(files: readonly string[]): void {
    for (const sha256 of files) this.#unneeded.add(sha256);
    if (this.#unneeded.size === 0) return;
    try {
      this.#transaction(() => {
        for (const sha256 of this.#unneeded) {
          if (this.#one("SELECT 1 FROM files WHERE sha256 = ?", sha256) === undefined) this.media.discard(sha256);
          this.#unneeded.delete(sha256);
        }
      });
    } catch {
      // The disk or another process's lock; see above.
    }
  }

  #transaction<Result>(run: () => Result): Result {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = run();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      // A full disk may have rolled back already; then ROLLBACK itself would throw and hide the reason.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #one(sql: string, ...values: (string | number | null)[]): Record<string, SQLOutputValue> | undefined {
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
/** A message's `held`. What is complete takes the place of what the net saw, never the other way round. */
const READY = 0;
const SEEN_BY_NET = 1;
const WITHOUT_FILES = 2;
const PUT = `INSERT INTO waiting (account, chat, message_id, captured_at, held, bytes, body, sources) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (account, chat, message_id) DO UPDATE
  SET held = excluded.held, bytes = excluded.bytes, body = excluded.body, sources = excluded.sources
  WHERE waiting.held > 0 AND excluded.held <> ${SEEN_BY_NET} RETURNING seq`;
const COMPLETE = "UPDATE waiting SET held = 0, sources = NULL, files = ?, bytes = ?, body = ? WHERE seq = ?";
const OMIT = "UPDATE waiting SET files = files - 1, bytes = ?, body = ? WHERE seq = ?";
const END_USE = "DELETE FROM uses WHERE account = ? AND chat = ? AND message_id = ?";
const FILES_OF = `SELECT sha256, bytes FROM uses JOIN files USING (sha256)
  WHERE account = ? AND chat = ? AND message_id = ?`;
const FILES_AT = `SELECT sha256 FROM uses JOIN waiting USING (account, chat, message_id)
  WHERE waiting.seq = ? AND waiting.files > 0`;
const PREDECESSOR = "SELECT seq FROM waiting WHERE account = ? AND chat = ? AND seq < ? ORDER BY seq DESC LIMIT 1";
const SUCCESSOR = "SELECT seq FROM waiting WHERE account = ? AND chat = ? AND seq > ? ORDER BY seq LIMIT 1";
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
    held: row["held"] !== 0,
    files: Number(row["files"]),
    sources: row["sources"] === null ? undefined : JSON.parse(String(row["sources"])),
    bytes: Number(row["bytes"]),
    body: String(row["body"]),
  };
}
