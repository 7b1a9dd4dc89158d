import * as z from "zod";
import type { Routes } from "./route.ts";
import { filter, flag, id, listOf, next, repaired, time, unreadable } from "./values.ts";

export const COMMAND_STATES = [
  "pending",
  "sending",
  "sent",
  "queued_by_gateway",
  "in_doubt",
  "failed",
  "skipped",
] as const;

export const command = z.object({
  id,
  command_id: z.string().nullable(),
  message: id,
  message_id: z.string(),
  /** The number of its chat. */
  chat: id,
  account_id: z.string(),
  chat_id: z.string(),
  type: z.string().nullable(),
  state: z.enum(COMMAND_STATES),
  created_at: time,
  sending_at: time.nullable(),
  settled_at: time.nullable(),
  whatsapp_message_id: z.string().nullable(),
  is_partial: z.boolean(),
  reason: z.string().nullable(),
});

export type Command = z.output<typeof command>;
export type RepairResult = z.output<typeof repaired>;

export const commandRoutes = {
  commands: {
    method: "GET",
    path: "/commands",
    about: "Commands of Hot Bags, newest first. `since`: come back since then",
    changes: false,
    input: z.object({
      ...filter,
      state: listOf(COMMAND_STATES).optional(),
      command_id: z.string().max(512).optional(),
    }),
    output: z.object({ commands: z.array(command), next, unreadable }),
  },
  command: {
    method: "GET",
    path: "/commands/:id",
    about:
      "One command, and what OpenClaw said of it (`said`). `content=true`: with its text, and with what `said` quotes of what was said, which leaves a line in the audit",
    changes: false,
    input: z.object({ content: flag }),
    output: command.extend({
      /** With `content=true` only. */
      text: z.string().nullable().optional(),
      /** What it says besides, such as the message that it quotes. */
      details: z.unknown().optional(),
      /** How large the file is that came with it. */
      file_bytes: z.int().nullable().optional(),
      /** How OpenClaw put why it was not sent; without `content=true`, without what it quotes of what was said. */
      said: z.string().nullable(),
      /** Why it waits just now, of one that does; null: it is about to go. */
      waits_for: z.string().nullable().optional(),
    }),
  },
  resolve: {
    method: "POST",
    path: "/commands/:id/resolve",
    about: "What became of a command in doubt: `sent`; or what is to become of it: `resend`, `discard`",
    changes: true,
    input: z.object({ as: z.enum(["sent", "resend", "discard"], "must be sent, resend or discard") }),
    output: repaired,
  },
} as const satisfies Routes;
