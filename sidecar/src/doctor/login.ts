import { shownId } from "@hotbags/shared";
import type { Logger } from "pino";
import type { AccountCode, Gateway, LoginStep } from "../gateway/index.ts";
import type { LoginState } from "../operator/schemas.ts";

/** The link is over in these, or OpenClaw has given it up. */
const ENDED: ReadonlySet<AccountCode> = new Set(["logged_out", "not_linked", "replaced", "stopped"]);

/** The accounts, and linking one anew, as the operator API has it. */
export function loginOf(gateway: Gateway, log: Logger) {
  return {
    accounts() {
      const { accounts, link, reason = "the gateway is not connected" } = gateway.state;
      const known = [...accounts].map(([account_id, { code, sentence }]) => ({ account_id, state: code, sentence }));
      return { accounts: known, problem: link === "up" ? null : reason };
    },
    async startLogin(accountId: string, who: string): Promise<LoginState> {
      const { accounts, link, reason } = gateway.state;
      if (link !== "up") return failed(reason ?? "the gateway is not connected");
      const account = accounts.get(accountId);
      if (account === undefined)
        return failed(
          `OpenClaw has no account ${shownId(accountId)}: it has ${[...accounts.keys()].map(shownId).join(", ")}`,
        );
      // A new code logs out what is linked now: never one that works, or that may.
      if (!ENDED.has(account.code))
        return failed(
          `${account.sentence} To link another phone to it, first remove it there from the linked devices.`,
        );
      log.warn({ account: accountId, who }, "an operator links a WhatsApp account anew");
      return show(await gateway.startLogin(accountId));
    },
    waitLogin: async (accountId: string, qr: string) => show(await gateway.waitLogin(accountId, qr)),
  };
}

function show(step: LoginStep): LoginState {
  switch (step.kind) {
    case "scan":
      return { state: "scan", qr: step.qr, reason: null };
    case "failed":
      return failed(step.reason);
    default:
      return { state: step.kind, qr: null, reason: null };
  }
}

function failed(reason: string): LoginState {
  return { state: "failed", qr: null, reason };
}
