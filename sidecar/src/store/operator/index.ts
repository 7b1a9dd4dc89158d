import type Database from "better-sqlite3";
import { unlessDamaged } from "../errors.ts";
import type { Files } from "../files.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Media } from "../media.ts";
import type { Audit, AuditEntry, ReadEntry } from "./audit.ts";
import { type ChatCounts, type ChatFilter, ChatPages, type ChatRow } from "./chat-pages.ts";
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
  /** Dead letters since this time; see MessagePages.deadSince. */
  deadSince(since: number, after: number, limit: number): Promise<{ ids: number[]; next: number | null }>;
  chats(filter: ChatFilter, before: number | null, limit: number): Promise<Page<ChatRow>>;
  chatCounts(chats: readonly number[]): Promise<Map<number, ChatCounts>>;
  /** Whose a chat is, by its number. */
  chatOf(chat: number): Promise<{ account_id: string; chat_id: string } | undefined>;
  conversation(chat: number, before: number | null, limit: number): Promise<ReturnType<ChatPages["conversation"]>>;
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
  /** A file that a message came with, by its place; undefined: it has none there, or it is forgotten. Reading throws FileLostError. */
  file(id: number, position: number): Promise<StoredFile | undefined>;
  /** Writes down what was done elsewhere, or what somebody looked at. */
  note(entry: Omit<AuditEntry, "id" | "at">): Promise<void>;
}

/** `read`: its bytes in pieces, each good until the next one is asked for. */
export interface StoredFile {
  bytes: number;
  read(): AsyncGenerator<Buffer>;
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
  const chats = new ChatPages(db);
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
    deadSince: async (since, after, limit) => messages.deadSince(since, after, limit),
    chats: async (filter, before, limit) => chats.page(filter, before ?? FROM_NEWEST, limit),
    chatCounts: async (some) => chats.counts(some),
    chatOf: async (chat) => chats.get(chat),
    conversation: async (chat, before, limit) => chats.conversation(chat, before ?? FROM_NEWEST, limit),
    chat: async (accountId, chatId) => chat.get(accountId, chatId)?.chat,
    audit: async (before, limit) => audit.page(before ?? FROM_NEWEST, limit),
    find: (number, after) => search.step(number, after),
  };
}

interface WriteParts {
  repairs: Repairs;
  erasure: Erasure;
  audit: Audit;
  commit: GroupCommit;
  media: Media;
  files: Files;
}

export function operatorWrites({ repairs, erasure, audit, commit, media, files }: WriteParts): OperatorWrites {
  return {
    retry: (id, who) => repairs.retry(id, who),
    discard: (id, who) => repairs.discard(id, who),
    resolve: (id, as, who) => repairs.resolve(id, as, who),
    forget: (request, who) => erasure.step(request, who),
    async file(id, position) {
      const kept = media.fileAt(id, position);
      return kept && { bytes: kept.size_bytes, read: () => files.read(kept.sha256, kept.size_bytes) };
    },
    note: (entry) => commit.run("audit", () => audit.note(entry)),
  };
}
