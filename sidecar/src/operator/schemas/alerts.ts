import * as z from "zod";
import type { Routes } from "./route.ts";
import { MAX_LIMIT, numeral, time } from "./values.ts";

const alert = z.object({
  id: z.string(),
  /** As in the table of docs/alerts.md. */
  kind: z.string(),
  subject: z.string(),
  severity: z.enum(["critical", "warning", "info"]),
  title: z.string(),
  text: z.string(),
  since: time,
  /** Null: it lasts. */
  ended: time.nullable(),
  /** How often it went away and came back. */
  returns: z.int(),
});
export type Alert = z.output<typeof alert>;

const testedChannel = z.object({
  /** `log`, or the setting that it comes from. */
  channel: z.string(),
  ok: z.boolean(),
  reason: z.string().nullable(),
});
export type TestedChannel = z.output<typeof testedChannel>;

export const alertRoutes = {
  alerts: {
    method: "GET",
    path: "/alerts",
    about: "What the operator was told of: what lasts, the oldest first, and what is over, the newest first",
    changes: false,
    input: z.object({ limit: numeral(1, MAX_LIMIT).optional() }),
    output: z.object({ open: z.array(alert), past: z.array(alert) }),
  },
  testAlerts: {
    method: "POST",
    path: "/alerts/test",
    about:
      "A notice that says it is a test goes every way that is set, the heartbeat too, and what came of it is the answer. Takes 10 s where nobody answers",
    changes: false,
    input: z.object({}),
    output: z.object({ channels: z.array(testedChannel) }),
  },
} as const satisfies Routes;
