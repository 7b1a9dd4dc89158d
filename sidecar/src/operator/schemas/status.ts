import * as z from "zod";
import type { Routes } from "./route.ts";
import { time } from "./values.ts";

const lastFailure = z.object({ at: time, message_id: z.string(), reason: z.string() }).nullable();

/**
 * Of the database: the same whether a sidecar runs or not. What else there is, only one that runs knows; and while a
 * shared database is away, that alone.
 */
const statusCounts = {
  messages: z
    .looseObject({
      ...{ accepted: z.int(), delivered: z.int(), pending: z.int(), detached: z.int(), dead: z.int() },
      ...{ discarded: z.int(), last_detached: lastFailure, last_dead: lastFailure },
      oldest_wait_ms: z.number().optional(),
    })
    .optional(),
  commands: z
    .looseObject({
      ...{ pending: z.int(), sending: z.int(), sent: z.int(), in_doubt: z.int(), failed: z.int(), skipped: z.int() },
      ...{ done: z.int(), paused_chats: z.int(), last_failed: lastFailure },
      oldest_wait_ms: z.number().optional(),
    })
    .optional(),
};

export const statusRoutes = {
  status: {
    method: "GET",
    path: "/status",
    about:
      "The version, and what `GET /health` says. While the PostgreSQL of `BRIDGE_STORE` is away `problems` says so within some seconds, and there is nothing of what is in it: no `messages`, no `commands`",
    changes: false,
    input: z.object({}),
    output: z.looseObject({ version: z.string(), ok: z.boolean(), problems: z.array(z.string()), ...statusCounts }),
  },
} as const satisfies Routes;
