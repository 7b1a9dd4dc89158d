import { accountId, chatId, MAX_PAUSE_SECONDS } from "@hotbags/shared";
import * as z from "zod";
import type { Routes } from "./route.ts";
import { chat, flag, id, idNumeral, next, numeral, page, time, unreadable } from "./values.ts";

const pause = z.object({
  /** Who paused it. */
  by: z.enum(["hotbags", "operator"]),
  replies: z.enum(["hold", "skip"]),
  until: time,
  waiting: z.int(),
});
const pausedChat = pause.extend(chat);
export type PausedChat = z.output<typeof pausedChat>;

const listedChat = z.object({
  /** Its number. */
  chat: id,
  account_id: z.string(),
  /** A number or a group, masked; null: it is forgotten. */
  name: z.string().nullable(),
  /** When its last message came. */
  last_at: time,
  /** Of this and the next ones, 1,000 are counted at most. */
  messages: z.int(),
  /** Messages for Hot Bags and replies for the customer. */
  waiting: z.int(),
  dead: z.int(),
  in_doubt: z.int(),
  paused: z.boolean(),
});

const spokenFile = z.object({
  /** Its place, from 0. */
  n: z.int(),
  type: z.string().nullable(),
  bytes: z.int().nullable(),
  /** With `content=true` only. */
  name: z.string().nullable(),
});

const spoken = z.object({
  /** `in`: of the customer; `out`: of Hot Bags. */
  kind: z.enum(["in", "out"]),
  /** Of a reply: when it was sent, handed over, or came back. */
  at: time,
  message: id,
  command: id.nullable(),
  state: z.string(),
  /** `text`, `image`, …; of a reply what Hot Bags commanded. Null: forgotten. */
  type: z.string().nullable(),
  /** With `content=true` only; null: forgotten, or none. */
  text: z.string().nullable(),
  files: z.array(spokenFile),
});

const howToPause = {
  for_seconds: z.int().min(1).max(MAX_PAUSE_SECONDS),
  replies: z.enum(["hold", "skip"], "must be hold or skip"),
};

/** Messages of a conversation in one answer: each can have a long text. */
const MOST_SPOKEN = 100;

export const chatRoutes = {
  chats: {
    method: "GET",
    path: "/chats",
    about: "Chats, the one whose last message came last first. `number`: those of one customer, or a group",
    changes: false,
    input: z.object({ ...page, account_id: accountId.optional(), number: chatId.optional() }),
    output: z.object({ chats: z.array(listedChat), next, unreadable }),
  },
  conversation: {
    method: "GET",
    path: "/chats/:id/conversation",
    about:
      "What was said in a chat, the newest first, as its customer saw it. `limit`: of the customer's messages, each of which comes with what was replied to it. `content=true`: with the words, which leaves a line in the audit",
    changes: false,
    input: z.object({ before: idNumeral.optional(), limit: numeral(1, MOST_SPOKEN).optional(), content: flag }),
    output: z.object({
      chat: id,
      account_id: z.string(),
      name: z.string().nullable(),
      /** Those that last, Hot Bags' and the operator's. */
      pauses: z.array(pause),
      entries: z.array(spoken),
      next,
    }),
  },
  chatNumber: {
    method: "GET",
    path: "/chats/:id/number",
    about: "The number or group of a chat, which leaves a line in the audit",
    changes: false,
    input: z.object({}),
    output: z.object({ number: z.string() }),
  },
  pausedChats: {
    method: "GET",
    path: "/chats/paused",
    about: "Chats that are paused, those that end first before the others. `waiting`: replies that wait there",
    changes: false,
    input: z.object({}),
    output: z.object({ chats: z.array(pausedChat) }),
  },
  pause: {
    method: "POST",
    path: "/chats/pause",
    about: "No reply goes out in a chat for a while: they are held until its end, or skipped",
    changes: true,
    input: z.object({ ...chat, ...howToPause }),
    /** `is_new`: nothing has come from there yet. */
    output: z.object({ until: time, is_new: z.boolean() }),
  },
  resume: {
    method: "POST",
    path: "/chats/resume",
    about: "Every pause of a chat is over, Hot Bags' too",
    changes: true,
    input: z.object(chat),
    output: z.object({ was_paused: z.boolean() }),
  },
  pauseChat: {
    method: "POST",
    path: "/chats/:id/pause",
    about: "The same as `/chats/pause` for whoever has the number of the chat alone",
    changes: true,
    input: z.object(howToPause),
    output: z.object({ until: time }),
  },
  resumeChat: {
    method: "POST",
    path: "/chats/:id/resume",
    about: "The same as `/chats/resume`",
    changes: true,
    input: z.object({}),
    output: z.object({ was_paused: z.boolean() }),
  },
} as const satisfies Routes;
