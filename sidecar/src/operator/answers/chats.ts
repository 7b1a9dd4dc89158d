import { maskAddress } from "@hotbags/shared";
import type { ChatAddress } from "../../store/index.ts";
import { type ApiParts, runningOf } from "../running.ts";
import type { chatRoutes } from "../schemas/chats.ts";
import type { Answers } from "./answer.ts";
import { iso } from "./stored.ts";

export function chatAnswers(parts: ApiParts): Answers<keyof typeof chatRoutes> {
  return {
    pausedChats: async () => {
      const chats = parts.pausedChats().map(({ chat: _, leftMs, ...pause }) => ({
        ...pause,
        until: iso(Date.now() + leftMs),
      }));
      return { chats };
    },

    pause: async ({ account_id, chat_id, for_seconds, replies }, _id, who) => {
      const chat = { accountId: account_id, chatId: chat_id };
      const forMs = for_seconds * 1_000;
      const is_new = (await parts.reads.chat(account_id, chat_id)) === undefined;
      await runningOf(parts).pause(chat, { forMs, replies });
      await noteChat(
        parts,
        chat,
        `pause ${maskAddress(chat_id)} for ${for_seconds} s, ${replies} replies`,
        "done",
        who,
      );
      return { until: iso(Date.now() + forMs), is_new };
    },

    resume: async ({ account_id, chat_id }, _id, who) => {
      const chat = { accountId: account_id, chatId: chat_id };
      const was_paused = await runningOf(parts).resume(chat);
      await noteChat(parts, chat, `resume ${maskAddress(chat_id)}`, was_paused ? "done" : "it was not paused", who);
      return { was_paused };
    },
  };
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
