import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { inboundMessage, maskAddress } from "@hotbags/shared";
import { type Columns, Database } from "./database.ts";
import { MediaFolder } from "./media-folder.ts";
import { StoredFiles } from "./stored-files.ts";

/** Lines of the audit that are kept. */
const MAX_ENTRIES = 10_000;

/** A dead letter of the outbox. Its chat is masked. Times in ms since 1970. */
export type Parked = {
  /** Its number, for as long as it is here. */
  id: number;
  message_id: string;
  account: string;
  chat: string;
  captured_at: number;
  parked_at: number;
  /** The sidecar's code for why, or `bad_message`. */
  code: string;
  reason: string;
  bytes: number;
};

/** What was captured, with the whole number. It may be no message at all. */
export type ParkedContent = { chat: string; captured: unknown };

/** What became of one. `reason`: why nothing did; null: it was done. */
export type Dealt = { id: number; done: boolean; reason: string | null };

/** Who dealt with one, and how. */
export type AuditEntry = {
  at: number;
  who: string;
  action: string;
  message_id: string;
  account: string;
  chat: string;
  result: string;
};

/**
 * The dead letters of an outbox, for the operator, whether a gateway works on it or not: one that runs finds what waits
 * again within some seconds. Whatever is done with one, and each look at what was said in it, is in the audit.
 */
export class ParkedMessages {
  readonly #db: Database;
  readonly #files: StoredFiles;
  readonly #nowMs: () => number;

  private constructor(file: string, nowMs: () => number) {
    this.#db = new Database(file);
    this.#files = new StoredFiles(this.#db, new MediaFolder(join(dirname(file), "media")));
    this.#nowMs = nowMs;
  }

  /** Undefined where there is no outbox yet. Throws DatabaseRefusedError, or SQLite's error. */
  static open(file: string, nowMs = Date.now): ParkedMessages | undefined {
    return existsSync(file) ? new ParkedMessages(file, nowMs) : undefined;
  }

  /** The newest first. */
  list(limit: number): Parked[] {
    return this.#db.all(`${SELECT} ORDER BY rowid DESC LIMIT ?`, limit).map(asParked);
  }

  /** By number, or by WhatsApp's own id, which more than one chat can have. */
  find(id: string): Parked[] {
    const byNumber = /^\d{1,15}$/.test(id) ? this.#db.all(`${SELECT} WHERE rowid = ?`, Number(id)) : [];
    const rows = byNumber.length > 0 ? byNumber : this.#db.all(`${SELECT} WHERE message_id = ?`, id);
    return rows.map(asParked);
  }

  /** What was said, or what came instead of a message. Undefined where there is no such message any more. */
  content(id: number, who: string): ParkedContent | undefined {
    return this.#db.transaction(() => {
      const row = this.#db.one(WHOLE, id);
      if (row === undefined) return undefined;
      this.#note(row, who, "read the text", "done");
      return { chat: String(row["chat"]), captured: JSON.parse(String(row["body"])) };
    });
  }

  /** It waits for the sidecar again, with its own key and bytes, behind what its chat has waiting. */
  retry(id: number, who: string): Dealt {
    return this.#deal(id, who, "retry", (row) => {
      // What OpenClaw gave could not be made a message; sent again, it would be none either.
      if (!inboundMessage.safeParse(JSON.parse(String(row["body"]))).success)
        return "it is no message that can be sent: look at it with show --content, and answer it by hand";
      this.#db.run(WAIT_AGAIN, id);
      this.#db.run(DELETE, id);
      return null;
    });
  }

  /** The operator is done with it: its text and its files are deleted. */
  discard(id: number, who: string): Dealt {
    const files: string[] = [];
    const dealt = this.#deal(id, who, "discard", (row) => {
      files.push(...this.#files.of(keyOf(row)).map(({ sha256 }) => sha256));
      this.#db.run(DELETE, id);
      return null;
    });
    this.#files.discard(files);
    return dealt;
  }

  /** The newest first. */
  audit(limit: number): AuditEntry[] {
    return this.#db.all("SELECT * FROM audit ORDER BY id DESC LIMIT ?", limit).map((row) => ({
      at: Number(row["at"]),
      who: String(row["who"]),
      action: String(row["action"]),
      message_id: String(row["message_id"]),
      account: String(row["account"]),
      chat: String(row["chat"]),
      result: String(row["result"]),
    }));
  }

  close(): void {
    this.#db.close();
  }

  #deal(id: number, who: string, action: string, deal: (row: Columns) => string | null): Dealt {
    return this.#db.transaction(() => {
      const row = this.#db.one(WHOLE, id);
      if (row === undefined) return { id, done: false, reason: "there is no such message, or somebody dealt with it" };
      const reason = deal(row);
      this.#note(row, who, action, reason ?? "done");
      return { id, done: reason === null, reason };
    });
  }

  #note(row: Columns, who: string, action: string, result: string): void {
    const [account, chat, messageId] = keyOf(row);
    this.#db.run(NOTE, this.#nowMs(), who, action, account, maskAddress(chat), messageId, result);
    this.#db.run("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", MAX_ENTRIES);
  }
}

const SELECT = "SELECT rowid AS id, account, chat, message_id, captured_at, parked_at, code, reason, bytes FROM parked";
const WHOLE = "SELECT account, chat, message_id, body FROM parked WHERE rowid = ?";
const DELETE = "DELETE FROM parked WHERE rowid = ?";
/** Its files are where they were: what needs them is the message's key. */
const WAIT_AGAIN = `INSERT INTO waiting (account, chat, message_id, captured_at, held, bytes, body, files)
  SELECT account, chat, message_id, captured_at, 0, bytes, body,
    (SELECT count(*) FROM uses u WHERE u.account = p.account AND u.chat = p.chat AND u.message_id = p.message_id)
  FROM parked p WHERE p.rowid = ?`;
const NOTE = "INSERT INTO audit (at, who, action, account, chat, message_id, result) VALUES (?, ?, ?, ?, ?, ?, ?)";

function keyOf(row: Columns): [account: string, chat: string, messageId: string] {
  return [String(row["account"]), String(row["chat"]), String(row["message_id"])];
}

function asParked(row: Columns): Parked {
  return {
    id: Number(row["id"]),
    message_id: String(row["message_id"]),
    account: String(row["account"]),
    chat: maskAddress(String(row["chat"])),
    captured_at: Number(row["captured_at"]),
    parked_at: Number(row["parked_at"]),
    code: String(row["code"]),
    reason: String(row["reason"]),
    bytes: Number(row["bytes"]),
  };
}
