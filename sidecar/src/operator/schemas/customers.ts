import { e164 } from "@hotbags/shared";
import * as z from "zod";
import type { Routes } from "./route.ts";
import { id } from "./values.ts";

export const customerRoutes = {
  forget: {
    method: "POST",
    path: "/forget",
    about:
      "Forgets a customer: texts, files and ids, and the number itself. It goes on for a second at a time: ask again with `after` as `next` says, and `left` and `forgotten` added up, until `next` is null. What waits, or is in doubt, stays, unless `including_waiting`: then messages become dead letters, replies fail, and both are forgotten. What is being sent stays. `dry_run` only counts",
    changes: true,
    only: "socket",
    input: z.object({
      number: e164,
      after: z.int().nonnegative().optional(),
      left: z.int().nonnegative().optional(),
      forgotten: z.int().nonnegative().optional(),
      including_waiting: z.boolean().optional(),
      dry_run: z.boolean().optional(),
    }),
    output: z.object({
      found: z.object({
        messages: z.int(),
        waiting: z.int(),
        dead: z.int(),
        replies_waiting: z.int(),
        replies_in_doubt: z.int(),
        replies_being_sent: z.int(),
        files: z.int(),
      }),
      forgotten: z.int(),
      left: z.int(),
      next: id.nullable(),
      progress: z.number(),
      number_gone: z.boolean(),
      log_cleared: z.boolean(),
    }),
  },
} as const satisfies Routes;
