import type Database from "better-sqlite3";
import type { Change } from "../changes.ts";
import { unlessDamaged } from "./faults.ts";

/** As a trigger says it. */
type Noted = Omit<Change, "account_id" | "chat_id"> & { chat: number };

/** What can't be read of a chat. */
const UNKNOWN = { account_id: "", chat_id: "" };

/**
 * Tells of every change of a message or a command, once it is on disk. By triggers of this connection, so that no write
 * can forget it; they are there only while somebody listens, and read no other page than the one that is written.
 */
export class Feed {
  readonly #db: Database.Database;
  readonly #chat: Database.Statement<[number], { account_id: string; chat_id: string }>;
  readonly #listeners = new Set<(changes: Change[]) => void>();
  #noted: Noted[] = [];

  constructor(db: Database.Database) {
    this.#db = db;
    this.#chat = db.prepare("SELECT account_id, chat_id FROM chats WHERE chat = ?");
    db.function("note_change", { varargs: true }, (...values) => this.#note(values));
  }

  /** Told of all changes of a commit at once, in their order. Returns how to stop that. Throws when SQLite does. */
  subscribe(listener: (changes: Change[]) => void): () => void {
    if (this.#listeners.size === 0) this.#db.exec(LISTEN);
    this.#listeners.add(listener);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0 && this.#db.open)
        this.#db.exec(LISTEN_NO_MORE);
    };
  }

  /** A transaction begins: what one before it has changed was taken back, or told of. */
  begin(): void {
    this.#noted = [];
  }

  /** All that was changed since `begin` is on disk. */
  committed(): void {
    if (this.#noted.length === 0) return;
    const changes = this.#noted.map(({ chat, ...noted }) => ({ ...noted, ...this.#chatOf(chat) }));
    this.#noted = [];
    for (const listener of [...this.#listeners]) listener(changes);
  }

  #chatOf(chat: number): typeof UNKNOWN {
    return (
      unlessDamaged(
        () => this.#chat.get(chat),
        () => undefined,
      ) ?? UNKNOWN
    );
  }

  #note([kind, id, what, chat, message_id, command_id, reason]: unknown[]): null {
    this.#noted.push({
      kind: kind === "message" ? "message" : "command",
      id: Number(id),
      what: String(what) as Change["what"],
      chat: Number(chat),
      message_id: orNull(message_id),
      command_id: orNull(command_id),
      reason: orNull(reason),
    });
    return null;
  }
}

function orNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

const MESSAGE = "NEW.chat, NEW.message_id, NULL";
const COMMAND = "SELECT note_change('command', NEW.id, NEW.state, NEW.chat, NULL, NEW.command_id, NEW.last_error);";

const LISTEN = `
CREATE TEMP TRIGGER IF NOT EXISTS feed_message_new AFTER INSERT ON main.messages WHEN NEW.outbound IS NULL BEGIN
  SELECT note_change('message', NEW.seq, CASE NEW.state WHEN 'pending' THEN 'accepted' ELSE NEW.state END, ${MESSAGE}, NEW.last_error);
END;
CREATE TEMP TRIGGER IF NOT EXISTS feed_message_state AFTER UPDATE OF state ON main.messages WHEN NEW.state <> OLD.state BEGIN
  SELECT note_change('message', NEW.seq, CASE NEW.state WHEN 'pending' THEN 'waits_again' ELSE NEW.state END, ${MESSAGE}, NEW.last_error);
END;
CREATE TEMP TRIGGER IF NOT EXISTS feed_message_failed AFTER UPDATE OF attempts ON main.messages
  WHEN NEW.state = 'pending' AND NEW.attempts > OLD.attempts BEGIN
  SELECT note_change('message', NEW.seq, 'attempt_failed', ${MESSAGE}, NEW.last_error);
END;
CREATE TEMP TRIGGER IF NOT EXISTS feed_message_discarded AFTER UPDATE OF discarded_at ON main.messages BEGIN
  SELECT note_change('message', NEW.seq, 'discarded', ${MESSAGE}, NULL);
END;
CREATE TEMP TRIGGER IF NOT EXISTS feed_command_new AFTER INSERT ON main.commands BEGIN
  ${COMMAND}
END;
CREATE TEMP TRIGGER IF NOT EXISTS feed_command_state AFTER UPDATE OF state ON main.commands WHEN NEW.state <> OLD.state BEGIN
  ${COMMAND}
END;`;

const LISTEN_NO_MORE = [...LISTEN.matchAll(/EXISTS (feed_\w+)/g)]
  .map(([, name]) => `DROP TRIGGER temp.${name};`)
  .join("\n");
