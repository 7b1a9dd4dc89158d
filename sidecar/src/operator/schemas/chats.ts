import { MAX_PAUSE_SECONDS } from "@hotbags/shared";
import { z } from "zod";
import type { Routes } from "./route.ts";
import { chat, time } from "./values.ts";

const pausedChat = z.object({
  ...chat,
  /** Who paused it. */
  by: z.enum(["hotbags", "operator"]),
  replies: z.enum(["hold", "skip"]),
  until: time,
  waiting: z.int(),
});
export type PausedChat = z.output<typeof pausedChat>;

export const chatRoutes = {
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
    input: z.object({
      ...chat,
      for_seconds: z.int().min(1).max(MAX_PAUSE_SECONDS),
      replies: z.enum(["hold", "skip"], "must be hold or skip"),
    }),
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
} as const satisfies Routes;
