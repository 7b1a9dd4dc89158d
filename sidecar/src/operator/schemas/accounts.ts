import { accountId } from "@hotbags/shared";
import * as z from "zod";
import type { Routes } from "./route.ts";

const account = z.object({
  account_id: z.string(),
  /** `connected`, `logged_out`, …: see AccountCode. */
  state: z.string(),
  sentence: z.string(),
});
export type Account = z.output<typeof account>;

/** A code as a PNG in base64. */
const MAX_QR_CHARACTERS = 50_000;

const loginStep = z.object({
  /** `scan`: there is a (new) code; `waiting`: nobody has scanned it yet. */
  state: z.enum(["connected", "scan", "waiting", "failed"]),
  qr: z.string().nullable(),
  reason: z.string().nullable(),
});
export type LoginState = z.output<typeof loginStep>;

export const accountRoutes = {
  accounts: {
    method: "GET",
    path: "/accounts",
    about: "The WhatsApp accounts of the gateway. `problem`: why they are not known, in a sentence",
    changes: false,
    input: z.object({}),
    output: z.object({ accounts: z.array(account), problem: z.string().nullable() }),
  },
  startLogin: {
    method: "POST",
    path: "/accounts/login",
    about:
      "Links a WhatsApp account anew: OpenClaw forgets the link that it has. Refused for one that is connected, or may be. `qr`: a PNG as a data URL, to be scanned with the phone; whoever scans it first has the account's messages. That it is given leaves a line in the audit",
    changes: false,
    input: z.object({ account_id: accountId }),
    output: loginStep,
  },
  waitLogin: {
    method: "POST",
    path: "/accounts/login/wait",
    about: "Waits for some seconds until the code `qr` is scanned, or WhatsApp has another one in its place",
    changes: false,
    input: z.object({ account_id: accountId, qr: z.string().max(MAX_QR_CHARACTERS) }),
    output: loginStep,
  },
} as const satisfies Routes;
