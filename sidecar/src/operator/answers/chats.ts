import { maskAddress } from "@hotbags/shared";
import type { ChatAddress, PausedChat } from "../../store/index.ts";
import { OperatorError } from "../error.ts";
import { type ApiParts, runningOf } from "../running.ts";
import type { chatRoutes } from "../schemas/chats.ts";
import { DEFAULT_LIMIT } from "../schemas/values.ts";
import type { Input } from "../schemas.ts";
import type { Answers } from "./answer.ts";
import { heard, replied } from "./conversation.ts";
import { noteLook } from "./look.ts";
import { isKnown, iso } from "./stored.ts";

/** Of a customer's messages in a conversation, where nobody says how many. */
const FEW_SPOKEN = 30;

const NONE = { messages: 0, waiting: 0, dead: 0, in_doubt: 0 };

export function chatAnswers(parts: ApiParts): Answers<keyof typeof chatRoutes> {
  const { reads } = parts;
  return {
    chats: async ({ account_id, number, before, limit = DEFAULT_LIMIT }) => {
      const filter = { accountId: account_id, chatId: number };
      const { rows, next, unreadable } = await reads.chats(filter, before ?? null, limit);
      const counts = await reads.chatCounts(rows.map(({ chat }) => chat));
      const paused = new Set((await parts.pausedChats()).map(({ chat }) => chat));
      const chats = rows.map(({ chat, account_id, chat_id, last_at }) => ({
        ...{ chat, account_id, name: nameOf(chat_id), last_at: iso(last_at), ...NONE, ...counts.get(chat) },
        paused: paused.has(chat),
      }));
      return { chats, next, unreadable };
    },

    conversation: async ({ before, limit = FEW_SPOKEN, content }, id, who) => {
      const { account_id, chat_id } = await found(parts, id);
      const showsContent = content === "true";
      if (showsContent) await noteLook(parts, "chat", id, who, "read the conversation");
      const spoken = await reads.conversation(id, before ?? null, limit);
      const entries = spoken.flatMap(({ commands, ...message }) => [
        ...(message.outbound === null ? [heard(message, showsContent)] : []),
        ...commands.map((command) => replied(command, message.id, showsContent)),
      ]);
      // Of what has the same time, what came later stands behind in the list: it is turned around first.
      const newestFirst = entries.reverse().sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
      const next = spoken.length === limit ? (spoken.at(-1)?.id ?? null) : null;
      const pauses = (await parts.pausedChats()).filter(({ chat }) => chat === id);
      return { chat: id, account_id, name: nameOf(chat_id), pauses: pauses.map(show), entries: newestFirst, next };
    },

    chatNumber: async (_input, id, who) => {
      const { chatId } = await known(parts, id);
      await noteLook(parts, "chat", id, who, "read the number");
      return { number: chatId };
    },

    pausedChats: async () => {
      return { chats: (await parts.pausedChats()).map(show) };
    },

    pause: async ({ account_id, chat_id, ...how }, _id, who) => {
      const is_new = (await parts.reads.chat(account_id, chat_id)) === undefined;
      return { ...(await pause(parts, { accountId: account_id, chatId: chat_id }, how, who)), is_new };
    },

    resume: async ({ account_id, chat_id }, _id, who) => resume(parts, { accountId: account_id, chatId: chat_id }, who),

    pauseChat: async (how, id, who) => pause(parts, await known(parts, id), how, who),

    resumeChat: async (_input, id, who) => resume(parts, await known(parts, id), who),
  };
}

async function pause(
  parts: ApiParts,
  chat: ChatAddress,
  { for_seconds, replies }: Input<"pauseChat">,
  who: string,
): Promise<{ until: string }> {
  const forMs = for_seconds * 1_000;
  await runningOf(parts).pause(chat, { forMs, replies });
  const action = `pause ${maskAddress(chat.chatId)} for ${for_seconds} s, ${replies} replies`;
  await noteChat(parts, chat, action, "done", who);
  return { until: iso(Date.now() + forMs) };
}

async function resume(parts: ApiParts, chat: ChatAddress, who: string): Promise<{ was_paused: boolean }> {
  const was_paused = await runningOf(parts).resume(chat);
  const action = `resume ${maskAddress(chat.chatId)}`;
  await noteChat(parts, chat, action, was_paused ? "done" : "it was not paused", who);
  return { was_paused };
}

const show = ({ chat: _, leftMs, ...pause }: PausedChat) => ({ ...pause, until: iso(Date.now() + leftMs) });

/** Whose chat it is. Rejects with OperatorError where there is none, or nobody knows any more. */
async function known(parts: ApiParts, id: number): Promise<ChatAddress> {
  const { account_id, chat_id } = await found(parts, id);
  if (!isKnown(chat_id)) throw new OperatorError(404, `chat ${id} is forgotten`);
  return { accountId: account_id, chatId: chat_id };
}

/** Rejects with OperatorError. */
async function found({ reads }: ApiParts, chat: number) {
  const row = await reads.chatOf(chat);
  if (!row) throw new OperatorError(404, `there is no chat ${chat}`);
  return row;
}

function nameOf(chat: string): string | null {
  return isKnown(chat) ? maskAddress(chat) : null;
}

/** The audit has no number of a customer's: a chat is named by its own. */
async function noteChat(
  parts: ApiParts,
  { accountId, chatId }: ChatAddress,
  action: string,
  result: string,
  who: string,
): Promise<void> {
  const subject = await parts.reads.chat(accountId, chatId);
  if (subject !== undefined) await runningOf(parts).store.note({ who, action, kind: "chat", subject, result });
}
