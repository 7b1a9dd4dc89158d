import * as z from "zod";
import type { Routes } from "./route.ts";
import { id, time } from "./values.ts";

export const ROLES = ["look", "act"] as const;

/** It stands in the audit, and on other people's pages: no control character, nor one that turns its letters around. */
const userName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^\P{C}+$/u, "must have no control characters");

const session = z.object({
  id,
  user: z.string(),
  /** `look`: sees all, and may have texts shown, which is noted. `act`: may change something as well. */
  role: z.enum(ROLES),
  created_at: time,
  last_seen_at: time,
  /** If nobody uses it until then. */
  expires_at: time,
});
export type ConsoleSession = z.output<typeof session>;

export const consoleRoutes = {
  makeConsoleLink: {
    method: "POST",
    path: "/console/links",
    about:
      "A link to the console that can be used once, within 10 minutes. `user`: whose it is, for the audit; else who asks",
    changes: true,
    only: "socket",
    input: z.object({ role: z.enum(ROLES, "must be look or act"), user: userName.optional() }),
    /** `port`: of this machine. `is_proxied`: the link goes by BRIDGE_CONSOLE_ORIGIN, and needs no tunnel. */
    output: z.object({ url: z.string(), expires_at: time, port: z.int(), is_proxied: z.boolean() }),
  },
  consoleSessions: {
    method: "GET",
    path: "/console/sessions",
    about: "Who is logged in to the console, the one who used it last first",
    changes: false,
    only: "socket",
    input: z.object({}),
    output: z.object({ sessions: z.array(session) }),
  },
  endConsoleSession: {
    method: "POST",
    path: "/console/sessions/:id/end",
    about: "Whoever has this session of the console is logged out, at once",
    changes: true,
    only: "socket",
    input: z.object({}),
    output: z.object({}),
  },
} as const satisfies Routes;
