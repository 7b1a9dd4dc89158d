import type Database from "better-sqlite3";
import { unlessDamaged } from "../errors.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Audit, AuditEntry, ReadEntry } from "./audit.ts";
import { type CommandFilter, type CommandLife, CommandPages, type CommandRow } from "./command-pages.ts";
import type { CustomerSearch, SearchStep } from "./customer-search.ts";
import type { Erased, Erasure, ErasureRequest } from "./erasure.ts";
import { type MessageFilter, type MessageLife, MessagePages, type MessageRow } from "./message-pages.ts";
import type { Page } from "./page.ts";
import type { Repaired, Repairs, Resolution } from "./repairs.ts";

/** Before every row. */
const FROM_NEWEST = Number.MAX_SAFE_INTEGER;

/** The whole life of one message. */
export interface WholeMessage extends MessageLife {
  /** What came back for it, in its order. */
  commands: CommandRow[];
  /** When an operator sent it again, wall-clock ms, the oldest first. */
  retries: Pick<AuditEntry, "at" | "who">[];
}

/** What an operator may ask. Also of a database that no sidecar runs on. */
export interface OperatorReads {
  messages(filter: MessageFilter, before: number | null, limit: number): Promise<Page<MessageRow>>;
  /** More than one only where two chats had a message with this id. */
  messagesWithId(messageId: string): Promise<MessageRow[]>;
  message(id: number): Promise<WholeMessage | undefined>;
  commands(filter: CommandFilter, before: number | null, limit: number): Promise<Page<CommandRow>>;
  commandWithId(commandId: string): Promise<CommandRow | undefined>;
  command(id: number): Promise<CommandLife | undefined>;
  /** The number of a chat; undefined where nothing ever came from it. */
  chat(accountId: string, chatId: string): Promise<number | undefined>;
  audit(before: number | null, limit: number): Promise<ReadEntry[]>;
  /** One step of counting what there is of a customer; see CustomerSearch. */
  find(number: string, after: number): Promise<SearchStep>;
}

/** What an operator may do. `who`: the system user. */
export interface OperatorWrites {
  retry(id: number, who: string): Promise<Repaired>;
  discard(id: number, who: string): Promise<Repaired>;
  resolve(id: number, as: Resolution, who: string): Promise<Repaired>;
  /** One step of it; see Erasure. */
  forget(request: ErasureRequest, who: string): Promise<Erased>;
  /** Writes down what was done elsewhere, or what somebody looked at. */
  note(entry: Omit<AuditEntry, "id" | "at">): Promise<void>;
}

export type OperatorStore = OperatorReads & OperatorWrites;

/**
 * Asynchronous, though SQLite is not: another store may have to ask another machine. `toWall`: what the wall clock will
 * show, or showed, at a proven time (ProvenTime).
 */
export function operatorReads(
  db: Database.Database,
  audit: Audit,
  search: CustomerSearch,
  toWall: (provenAt: number) => number,
): OperatorReads {
  const messages = new MessagePages(db, toWall);
  const commands = new CommandPages(db);
  const chat = db.prepare<[string, string], { chat: number }>(
    "SELECT chat FROM chats WHERE account_id = ? AND chat_id = ?",
  );
  return {
    messages: async (filter, before, limit) => messages.page(filter, before ?? FROM_NEWEST, limit),
    messagesWithId: async (messageId) => messages.withMessageId(messageId),
    message: async (id) => {
      const life = messages.life(id);
      const retries = unlessDamaged(
        () => audit.of("message", id, "retry").map(({ at, who }) => ({ at, who })),
        () => [],
      );
      return life && { ...life, commands: commands.ofMessage(id), retries };
    },
    commands: async (filter, before, limit) => commands.page(filter, before ?? FROM_NEWEST, limit),
    commandWithId: async (commandId) => commands.withCommandId(commandId),
    command: async (id) => commands.get(id),
    chat: async (accountId, chatId) => chat.get(accountId, chatId)?.chat,
    audit: async (before, limit) => audit.page(before ?? FROM_NEWEST, limit),
    find: (number, after) => search.step(number, after),
  };
}

export function operatorWrites(repairs: Repairs, erasure: Erasure, audit: Audit, commit: GroupCommit): OperatorWrites {
  return {
    retry: (id, who) => repairs.retry(id, who),
    discard: (id, who) => repairs.discard(id, who),
    resolve: (id, as, who) => repairs.resolve(id, as, who),
    forget: (request, who) => erasure.step(request, who),
    note: (entry) => commit.run("audit", () => audit.note(entry)),
  };
}
