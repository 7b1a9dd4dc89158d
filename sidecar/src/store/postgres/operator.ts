import type { Clock } from "../../clock.ts";
import type { Files } from "../files.ts";
import type { OperatorReads, OperatorStore } from "../operator.ts";
import { Audit, NOTED } from "./audit.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { search } from "./customer-search.ts";
import { Erasure } from "./erasure.ts";
import { OperatorChats } from "./operator-chats.ts";
import { OperatorCommands } from "./operator-commands.ts";
import { readFleet } from "./operator-fleet.ts";
import { OperatorMessages } from "./operator-messages.ts";
import type { ProvenTime } from "./proven-time.ts";
import { DISCARDED, RESOLVED, RETRIED } from "./repairs.ts";

/** Before every row. */
const FROM_NEWEST = Number.MAX_SAFE_INTEGER;

interface OperatorParts {
  db: Queries;
  batches: Batches;
  clock: Clock;
  time: ProvenTime;
  files: Pick<Files, "giveUp" | "read">;
  /** Of a lease. */
  ttlMs: number;
}

/** What an operator may ask and do, of all accounts, whoever owns them. */
export function operatorOf(parts: OperatorParts): OperatorStore {
  const { db, batches, files } = parts;
  const erasure = new Erasure(parts);
  return {
    ...readsOf(parts),
    retry: (id, who) => batches.run(RETRIED, { id, who }),
    discard: (id, who) => batches.run(DISCARDED, { id, who }),
    resolve: (id, as, who) => batches.run(RESOLVED[as], { id, who }),
    forget: (request, who) => erasure.step(request, who),
    note: (entry) => batches.run(NOTED, entry),
    async file(id, position) {
      const [kept] = await db.rows<{ sha256: string; size_bytes: number }>(
        "SELECT sha256, size_bytes FROM media WHERE seq = $1 AND position = $2",
        ...[id, position],
      );
      return kept && { bytes: kept.size_bytes, read: () => files.read(kept.sha256, kept.size_bytes) };
    },
  };
}

/** What an operator may ask, of all accounts, whoever owns them. */
export function readsOf({ db, clock, time, ttlMs }: Omit<OperatorParts, "batches" | "files">): OperatorReads {
  const messages = new OperatorMessages(db, (provenAt) => clock.now() + provenAt - time.now());
  const [commands, chats, audit] = [new OperatorCommands(db), new OperatorChats(db), new Audit(db)];
  return {
    messages: (filter, before, limit) => messages.page(filter, before ?? FROM_NEWEST, limit),
    messagesWithId: (messageId) => messages.withMessageId(messageId),
    async message(id) {
      const life = await messages.life(id);
      if (!life) return undefined;
      const retries = await audit.of("message", id, "retry");
      return {
        ...{ ...life, commands: await commands.ofMessage(id) },
        retries: retries.map(({ at, who }) => ({ at, who })),
      };
    },
    commands: (filter, before, limit) => commands.page(filter, before ?? FROM_NEWEST, limit),
    commandWithId: (commandId) => commands.withCommandId(commandId),
    command: (id) => commands.get(id),
    deadSince: (since, after, limit) => messages.deadSince(since, after, limit),
    chats: (filter, before, limit) => chats.page(filter, before ?? FROM_NEWEST, limit),
    chatCounts: (some) => chats.counts(some),
    chatOf: (chat) => chats.get(chat),
    conversation: (chat, before, limit) => chats.conversation(chat, before ?? FROM_NEWEST, limit),
    chat: (accountId, chatId) => chats.numberOf(accountId, chatId),
    audit: (before, limit) => audit.page(before ?? FROM_NEWEST, limit),
    fleet: () => readFleet(db, ttlMs),
    find: (number, after) => search(db, clock, number, after),
  };
}
