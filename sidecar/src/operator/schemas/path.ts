import * as z from "zod";
import type { Routes } from "./route.ts";
import { time } from "./values.ts";

const hop = z.object({
  hop: z.enum(["whatsapp", "openclaw", "plugin", "sidecar", "hotbags"]),
  /** Of WhatsApp's, of which each account has one; null: of the others, or no account is known. */
  account_id: z.string().nullable(),
  state: z.enum(["ok", "slow", "down", "unknown"]),
  /** Null: not known. */
  since: time.nullable(),
  sentence: z.string(),
  /** The kind of the alert that says so, where one does. */
  code: z.string(),
});

/** Null: it can't be read. */
const count = z.int().nullable();

/** Null: none waits. */
const waitMs = z.number().nullable();

export const pathRoutes = {
  path: {
    method: "GET",
    path: "/path",
    about:
      "Whether customers are being answered, in a sentence, and how each hop of a message's way is: from what `GET /health` and the alerts know, and from nothing else. `slow`: it goes on, but not as it should: something waits too long, or is held, or a part of it does not work. `code`: the [kind of the alert](alerts.md) that says so; else `ok`, `unknown`, `starting`, `disabled` (all accounts are), `untried` (Hot Bags never had a message), `message_fails` (one alone), `stopped` (the sidecar does not run), and of the whole `yes` or `yes_look` (customers are answered, and something needs you). `since`: by the alert, which outlives the sidecar; of what no alert is for, as far as this run of the sidecar has seen. `refused`: commands that ever were",
    changes: false,
    input: z.object({}),
    output: z.object({
      answered: z.enum(["yes", "partly", "no", "unknown"]),
      sentence: z.string(),
      code: z.string(),
      since: time.nullable(),
      hops: z.array(hop),
      waiting: z.object({ messages: count, oldest_ms: waitMs, replies: count, oldest_reply_ms: waitMs }),
      dead: count,
      in_doubt: count,
      refused: count,
      alerts: z.int(),
    }),
  },
} as const satisfies Routes;
