import * as z from "zod";
import type { Routes } from "./route.ts";

const finding = z.object({
  check: z.string(),
  level: z.enum(["ok", "warn", "fail", "skipped"]),
  seen: z.string(),
  advice: z.string().nullable(),
});
export type NamedFinding = z.output<typeof finding>;

export const doctorRoutes = {
  diagnose: {
    method: "POST",
    path: "/doctor",
    about:
      "Looks at all that the bridge needs, as `hotbags doctor` shows it. `test_alert`: an alert is sent for a test; nothing else changes",
    changes: false,
    input: z.object({ test_alert: z.boolean().optional() }),
    output: z.object({ findings: z.array(finding) }),
  },
} as const satisfies Routes;
