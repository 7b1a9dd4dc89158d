import type Database from "better-sqlite3";
import type { Files } from "../../files.ts";
import type { OperatorReads, OperatorWrites } from "../../operator.ts";
import { unlessDamaged } from "../faults.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Media } from "../media.ts";
import type { Audit } from "./audit.ts";
import { ChatPages } from "./chat-pages.ts";
import { CommandPages } from "./command-pages.ts";
import type { CustomerSearch } from "./customer-search.ts";
import type { Erasure } from "./erasure.ts";
import { MessagePages } from "./message-pages.ts";
import type { Repairs } from "./repairs.ts";

/** Before every row. */
const FROM_NEWEST = Number.MAX_SAFE_INTEGER;

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
    fleet: async () => null,
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
