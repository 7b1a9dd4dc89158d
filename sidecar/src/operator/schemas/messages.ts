import * as z from "zod";
import { Picture } from "../picture.ts";
import { command } from "./commands.ts";
import type { Routes } from "./route.ts";
import { filter, flag, id, listOf, next, numeral, repaired, time, unreadable } from "./values.ts";

/** Messages that one request may send again or discard. */
export const MAX_IDS = 100;

export const MESSAGE_STATES = ["pending", "detached", "delivered", "dead", "discarded"] as const;

const message = z.object({
  id,
  message_id: z.string(),
  /** The number of its chat. */
  chat: id,
  account_id: z.string(),
  chat_id: z.string(),
  state: z.enum(MESSAGE_STATES),
  received_at: time,
  settled_at: time.nullable(),
  attempts: z.int(),
  next_attempt_at: time.nullable(),
  status: z.int().nullable(),
  last_error: z.string().nullable(),
  /** Why it waits just now, of one that does; null: it is about to go. */
  waits_for: z.string().nullable().optional(),
  /** When it, or Hot Bags, is tried again, where that is known. */
  waits_until: time.nullable().optional(),
});

const attempt = z.object({
  attempt: z.int(),
  at: time,
  duration_ms: z.int().nullable(),
  status: z.int().nullable(),
  error: z.string().nullable(),
});

const wholeMessage = message.extend({
  failed_attempts: z.array(attempt),
  failed_count: z.int(),
  /** Who sent it again, and when. */
  retries: z.array(z.object({ at: time, who: z.string() })),
  duration_ms: z.int().nullable(),
  commands: z.array(command),
  /** With `content=true` only. */
  request: z.unknown().optional(),
  response: z.unknown().optional(),
});

const ids = z.object({ ids: z.array(id).min(1).max(MAX_IDS) });

export type Message = z.output<typeof message>;
export type WholeMessage = z.output<typeof wholeMessage>;

export const messageRoutes = {
  messages: {
    method: "GET",
    path: "/messages",
    about:
      "Messages, newest first. `since`: received since then; of dead letters and discarded ones, settled since then",
    changes: false,
    input: z.object({
      ...filter,
      state: listOf(MESSAGE_STATES).optional(),
      message_id: z.string().max(512).optional(),
    }),
    output: z.object({ messages: z.array(message), next, unreadable }),
  },
  message: {
    method: "GET",
    path: "/messages/:id",
    about: "The whole life of a message. `content=true`: with what was said in it, which leaves a line in the audit",
    changes: false,
    input: z.object({ content: flag }),
    output: wholeMessage,
  },
  retry: {
    method: "POST",
    path: "/messages/retry",
    about: "Dead letters wait for delivery again: with their own keys and bytes, in their places, with all their time",
    changes: true,
    input: ids,
    output: z.object({ results: z.array(repaired) }),
  },
  retryDead: {
    method: "POST",
    path: "/messages/retry-dead",
    about:
      "All that became dead letters since then wait for delivery again, the oldest first, as `/messages/retry` does it; at most 100 at a time: ask again with `after` as `next` says, until `next` is null. `refused`: those that can't, and why",
    changes: true,
    input: z.object({ since: time, after: id.optional() }),
    output: z.object({
      retried: z.int(),
      refused: z.array(z.object({ id, reason: z.string() })),
      next,
    }),
  },
  file: {
    method: "GET",
    path: "/messages/:id/files/:n",
    about:
      "The picture at this place of a message's files, from 0 on, which leaves a line in the audit. 415: its bytes are none of a PNG, JPEG, GIF or WebP",
    changes: false,
    input: z.object({ n: numeral(0, 999) }),
    output: z.custom<Picture>((file) => file instanceof Picture).meta({ format: "bytes" }),
  },
  discard: {
    method: "POST",
    path: "/messages/discard",
    about: "Dead letters are done with: their texts and files are deleted, their keys stay",
    changes: true,
    input: ids,
    output: z.object({ results: z.array(repaired) }),
  },
} as const satisfies Routes;
