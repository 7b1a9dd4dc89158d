import * as z from "zod";
import type { Routes } from "./route.ts";
import { time } from "./values.ts";

const account = z.object({
  account_id: z.string(),
  /** Null: none works on it. */
  sidecar: z.string().nullable(),
  since: time.nullable(),
  beside: z.boolean(),
  wanted_by: z.string().nullable(),
  ...{ waiting: z.int(), dead: z.int(), replies_waiting: z.int(), replies_in_doubt: z.int() },
});
export type FleetAccount = z.output<typeof account>;

export const fleetRoutes = {
  fleet: {
    method: "GET",
    path: "/fleet",
    about:
      "Of sidecars that [share a store](fleet.md): which of them works on which account, since when, and what waits there. `beside`: its own gateway has the account, so that it sends replies; else it brings Hot Bags what waits, and keeps the replies for the sidecar whose gateway has it. `wanted_by`: that one, as soon as it asks. `shared`: whether they do; if not, this sidecar works on all accounts, and there is nothing to list",
    changes: false,
    input: z.object({}),
    output: z.object({ shared: z.boolean(), accounts: z.array(account) }),
  },
} as const satisfies Routes;
