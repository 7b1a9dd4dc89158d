import * as z from "zod";
import type { Routes } from "./route.ts";
import { id, next, page, time } from "./values.ts";

const audit = z.object({
  id,
  at: time,
  who: z.string(),
  action: z.string(),
  kind: z.enum(["message", "command", "chat", "settings", "restore", "backup", "console", "store"]),
  /** 0: there is none, or but one. */
  subject: z.int().nonnegative(),
  /** Of a chat, masked; null: of anything else, or it is forgotten. */
  chat: z.string().nullable(),
  result: z.string(),
});

export type AuditEntry = z.output<typeof audit>;

export const auditRoutes = {
  backedUp: {
    method: "POST",
    path: "/backups",
    about:
      "A backup was made of the state folder, `hotbags backup` says, which reads the files itself; how large it is in `bytes`",
    changes: true,
    only: "socket",
    input: z.object({ bytes: z.int().nonnegative() }),
    output: z.object({}),
  },
  audit: {
    method: "GET",
    path: "/audit",
    about: "Who did what, newest first. `since`: since then",
    changes: false,
    input: z.object({ ...page, since: time.optional() }),
    output: z.object({ entries: z.array(audit), next }),
  },
} as const satisfies Routes;
