import { chatId } from "@hotbags/shared";
import * as z from "zod";
import { COMMAND_STATES } from "./commands.ts";
import type { Route } from "./route.ts";
import { id, time } from "./values.ts";

const happened = z.object({
  at: time,
  kind: z.enum(["message", "command"]),
  /** Its number. */
  id,
  what: z.enum([
    ...(["accepted", "attempt_failed", "delivered", "dead", "waits_again", "discarded"] as const),
    ...COMMAND_STATES,
  ]),
  account_id: z.string(),
  /** Masked. */
  chat: z.string(),
  message_id: z.string().nullable(),
  command_id: z.string().nullable(),
  reason: z.string().nullable(),
});

/** The reader was too slow for so many. */
const missed = z.object({ at: time, kind: z.literal("missed"), count: z.int().positive() });

/** The one answer that does not end: a line for each thing that happens, as JSON. */
export const EVENTS = {
  method: "GET",
  path: "/events",
  about:
    "What happens from now on, one JSON object a line (application/x-ndjson), once it is on disk. It ends with the sidecar; what happens before the next one is not told. `missed`: so many were not, because the reader was too slow. 16 readers at most",
  changes: false,
  input: z.object({ chat: chatId.optional() }),
  output: z.union([happened, missed]),
} as const satisfies Route;
export type EventFilter = z.output<typeof EVENTS.input>;
export type LiveEvent = z.input<typeof EVENTS.output>;
