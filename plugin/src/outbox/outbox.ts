import { dirname, join } from "node:path";
import { failpoint, type InboundMessage, type Omitted } from "@hotbags/shared";
import { type Captured, keyOf } from "../capture/capture.ts";
import { type Columns, Database } from "./database.ts";
import { MediaFolder } from "./media-folder.ts";
import { type Copy, type StoredFile, StoredFiles } from "./stored-files.ts";

/** Seven days of a busy shop (about 20 messages a minute, day and night) with the sidecar away all the time. */
const MAX_OUTBOX_MESSAGES = 200_000;
/** Bytes of message bodies; the file itself is up to a third larger. */
const MAX_OUTBOX_BYTES = 1024 ** 3;
/** The outbox is at its limit: the message is not stored, and nothing else was thrown away for it. */
export class OutboxFullError extends Error {
  override name = "OutboxFullError";
}

/** Where a message stands: its place in the order of arrival, and its chat. */
export type Place = { seq: number; account: string; chat: string };
export type Row = Place & {
  messageId: string;
  /** It waits for its files, or for the complete capture. */
  incomplete: boolean;
  /** Files that the sidecar must have before the message. */
  files: number;
  /** Where OpenClaw keeps the message's files, as long as they are not copied. */
  sources: (string | null)[] | undefined;
  bytes: number;
  body: string;
};
/** What became of an incomplete message whose files were copied. */
export type Completed = "ready" | "changed" | "settled before";
export type Totals = {
  waiting: number;
  waitingBytes: number;
  /** Dead letters: the table `parked`. */
  dead: number;
  deadBytes: number;
  /** Files of waiting messages and dead letters in our folder, each counted once. */
  files: number;
  fileBytes: number;
};
export type Limits = { messages: number; bytes: number };

/**
 * Messages that the sidecar has not confirmed, in one SQLite file. Every write is on disk when the call returns
 * (`synchronous=FULL`), and every call is synchronous: a hook that returns has left nothing in memory.
 *
 * A message is incomplete or ready. It is incomplete until its files are copied, and, if only `message_received` has
 * seen it, until the complete capture comes. It leaves by `remove` (acknowledged) or `deadLetter` (refused for good).
 * Its files are in the folder `media` beside the database, and go with the last message that has them.
 */
export class Outbox {
  readonly #db: Database;
  readonly #limits: Limits;
  readonly #files: StoredFiles;

  /**
   * Opens or creates the file. Throws DatabaseRefusedError, or what SQLite says of a file or disk that cannot be used.
   */
  constructor(file: string, limits: Limits = { messages: MAX_OUTBOX_MESSAGES, bytes: MAX_OUTBOX_BYTES }) {
    this.#limits = limits;
    this.#db = new Database(file);
    this.#files = new StoredFiles(this.#db, new MediaFolder(join(dirname(file), "media")));
  }

  /** SQLite's own word for how it syncs: 2 is FULL. */
  synchronous(): number {
    return this.#db.synchronous();
  }

  /** Where the files of its messages are. */
  get media(): MediaFolder {
    return this.#files.folder;
  }

  /**
   * Stores what a hook captured. `receivedOnly`: `message_received` did, so the message is incomplete until
   * `reply_dispatch` captures it too. Any other second capture of the same message changes nothing. One with `sources`
   * stays incomplete until `complete`. Returns the row if it is new or was changed. Throws `OutboxFullError`, or
   * SQLite's error.
   */
  put(captured: Captured, nowMs: number, receivedOnly = false): { seq: number } | undefined {
    if (!captured.ok) return void this.#putDeadLetter(captured, nowMs);
    const { message } = captured;
    const key = keyOf(captured);
    if (this.#db.one("SELECT 1 FROM parked WHERE account = ? AND chat = ? AND message_id = ?", ...key) !== undefined)
      return undefined;
    const body = JSON.stringify(message);
    const bytes = Buffer.byteLength(body);
    if (!this.#hasRoom(bytes) && this.#db.one(KNOWN, ...key) === undefined) throw this.#full();
    const { sources } = captured;
    const level = receivedOnly ? RECEIVED_ONLY : sources === undefined ? READY : WITHOUT_FILES;
    const listed = sources === undefined ? null : JSON.stringify(sources);
    const row = this.#db.one(PUT, ...key, nowMs, level, bytes, body, listed);
    return row === undefined ? undefined : { seq: Number(row["seq"]) };
  }

  /**
   * Makes an incomplete message ready as it is: nothing more complete came. Returns whether it still was incomplete.
   */
  release(seq: number): boolean {
    return this.#db.run("UPDATE waiting SET held = 0, sources = NULL WHERE seq = ? AND held > 0", seq) > 0;
  }

  /**
   * Makes an incomplete message ready with its files, which get their names within the same transaction. `seen` is what
   * the message was made of: if a more complete capture has taken its place since, that one must not be lost. Then, and
   * if it is not incomplete any more, nothing is done. Throws SQLite's or the disk's error.
   */
  complete(seen: Row, message: InboundMessage, copies: readonly Copy[]): Completed {
    return this.#db.transaction(() => {
      const row = this.get(seen.seq);
      if (!row?.incomplete) return "settled before";
      if (row.body !== seen.body || JSON.stringify(row.sources) !== JSON.stringify(seen.sources)) return "changed";
      const files = this.#files.add([row.account, row.chat, row.messageId], copies);
      const body = JSON.stringify(message);
      this.#db.run(COMPLETE, files, Buffer.byteLength(body), body, row.seq);
      return "ready";
    });
  }

  /** The files that the sidecar must have before this message. */
  filesOf(row: Row): StoredFile[] {
    return this.#files.of([row.account, row.chat, row.messageId]);
  }

  /** Lets a waiting message go without one of its files, for ever: each attempt must carry the same content. */
  omit(seq: number, sha256: string, reason: Omitted): void {
    failpoint("omit:before-commit");
    this.#db.transaction(() => {
      const row = this.get(seq);
      if (row === undefined) return;
      const message: InboundMessage = JSON.parse(row.body);
      const media = message.media.map((item) => {
        return item.sha256 === sha256 && item.omitted === undefined ? { ...item, omitted: reason } : item;
      });
      const body = JSON.stringify({ ...message, media });
      this.#db.run(OMIT, Buffer.byteLength(body), body, seq);
      this.#files.end([row.account, row.chat, row.messageId], sha256);
    });
    failpoint("omit:after-commit");
    this.#files.discard([sha256]);
  }

  /** Removes files that no message needs. To be called at the start; see `StoredFiles.sweep`. */
  sweep(): Promise<void> {
    return this.#files.sweep();
  }

  /** The incomplete messages, oldest first, at most 1,000. */
  incomplete(): number[] {
    const rows = this.#db.all("SELECT seq FROM waiting WHERE held > 0 ORDER BY seq LIMIT 1000");
    return rows.map((row) => Number(row["seq"]));
  }

  /** The places of the messages after `seq`, in order of arrival. */
  after(seq: number, limit: number): Place[] {
    return this.#db.all(AFTER, seq, limit).map(asPlace);
  }

  get(seq: number): Row | undefined {
    const row = this.#db.one("SELECT * FROM waiting WHERE seq = ?", seq);
    return row === undefined ? undefined : asRow(row);
  }

  /** A chat's first message behind this place. */
  nextOf({ account, chat }: { account: string; chat: string }, seq: number): Row | undefined {
    const row = this.#db.one(NEXT_OF, account, chat, seq);
    return row === undefined ? undefined : asRow(row);
  }

  /** Forgets acknowledged messages, all in one transaction, and the files that no other message has. */
  remove(seqs: readonly number[]): void {
    const files: string[] = [];
    this.#db.transaction(() => {
      for (const seq of seqs) {
        files.push(...this.#files.at(seq));
        this.#db.run("DELETE FROM waiting WHERE seq = ?", seq);
      }
    });
    this.#files.discard(files);
  }

  /** Makes a message a dead letter for the operator, so that it neither blocks the others nor is lost. */
  deadLetter(seq: number, code: string, reason: string, nowMs: number): void {
    this.#db.transaction(() => {
      this.#db.run(DEAD_LETTER, nowMs, code, reason, seq);
      this.#db.run("DELETE FROM waiting WHERE seq = ?", seq);
    });
  }

  totals(): Totals {
    const row = this.#db.one("SELECT * FROM totals");
    return {
      waiting: Number(row?.["waiting"]),
      waitingBytes: Number(row?.["waiting_bytes"]),
      dead: Number(row?.["parked"]),
      deadBytes: Number(row?.["parked_bytes"]),
      files: Number(row?.["files"]),
      fileBytes: Number(row?.["file_bytes"]),
    };
  }

  /** When the oldest waiting message was captured, in milliseconds since 1970. */
  oldestMs(): number | undefined {
    const row = this.#db.one("SELECT captured_at FROM waiting ORDER BY seq LIMIT 1");
    return row === undefined ? undefined : Number(row["captured_at"]);
  }

  close(): void {
    this.#db.close();
  }

  #putDeadLetter(captured: Extract<Captured, { ok: false }>, nowMs: number): void {
    const body = JSON.stringify(captured.evidence);
    const bytes = Buffer.byteLength(body);
    if (!this.#hasRoom(bytes)) throw this.#full();
    this.#db.run(NEW_DEAD_LETTER, ...keyOf(captured), nowMs, nowMs, "bad_message", captured.reason, bytes, body);
  }

  #hasRoom(bytes: number): boolean {
    const { waiting, dead, waitingBytes, deadBytes } = this.totals();
    return waiting + dead < this.#limits.messages && waitingBytes + deadBytes + bytes <= this.#limits.bytes;
  }

  #full(): OutboxFullError {
    const { waiting, dead, waitingBytes, deadBytes } = this.totals();
    return new OutboxFullError(
      `the outbox is full: ${waiting} waiting messages and ${dead} dead letters (limit ${this.#limits.messages}), ` +
        `${megabytes(waitingBytes + deadBytes)} MB (limit ${megabytes(this.#limits.bytes)}); start the sidecar so that it drains`,
    );
  }
}

/** In a log a longer number would be taken for a customer's, and masked. */
function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1_000_000);
}

const KNOWN = "SELECT 1 FROM waiting WHERE account = ? AND chat = ? AND message_id = ?";
/** The column `held`. What is complete takes the place of what `message_received` saw, never the other way round. */
const READY = 0;
const RECEIVED_ONLY = 1;
const WITHOUT_FILES = 2;
const PUT = `INSERT INTO waiting (account, chat, message_id, captured_at, held, bytes, body, sources) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (account, chat, message_id) DO UPDATE
  SET held = excluded.held, bytes = excluded.bytes, body = excluded.body, sources = excluded.sources
  WHERE waiting.held > 0 AND excluded.held <> ${RECEIVED_ONLY} RETURNING seq`;
const COMPLETE = "UPDATE waiting SET held = 0, sources = NULL, files = ?, bytes = ?, body = ? WHERE seq = ?";
const OMIT = "UPDATE waiting SET files = files - 1, bytes = ?, body = ? WHERE seq = ?";
const AFTER = "SELECT seq, account, chat FROM waiting WHERE seq > ? ORDER BY seq LIMIT ?";
const NEXT_OF = "SELECT * FROM waiting WHERE account = ? AND chat = ? AND seq > ? ORDER BY seq LIMIT 1";
const DEAD_LETTER = `INSERT OR IGNORE INTO parked (account, chat, message_id, captured_at, parked_at, code, reason, bytes, body)
  SELECT account, chat, message_id, captured_at, ?, ?, ?, bytes, body FROM waiting WHERE seq = ?`;
const NEW_DEAD_LETTER = `INSERT OR IGNORE INTO parked (account, chat, message_id, captured_at, parked_at, code, reason, bytes, body)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

function asPlace(row: Columns): Place {
  return { seq: Number(row["seq"]), account: String(row["account"]), chat: String(row["chat"]) };
}

function asRow(row: Columns): Row {
  return {
    ...asPlace(row),
    messageId: String(row["message_id"]),
    incomplete: row["held"] !== 0,
    files: Number(row["files"]),
    sources: row["sources"] === null ? undefined : JSON.parse(String(row["sources"])),
    bytes: Number(row["bytes"]),
    body: String(row["body"]),
  };
}
