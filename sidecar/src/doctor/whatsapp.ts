import { shownId } from "@hotbags/shared";
import type { AccountCode } from "../gateway/index.ts";
import { type Check, NO_SETTINGS } from "./check.ts";
import { fail, ok, skipped, warn } from "./finding.ts";
import { settled } from "./gateway.ts";

/** These pass by themselves, or nobody can tell. */
const PASSING: ReadonlySet<AccountCode> = new Set(["connecting", "reconnecting", "unknown"]);

/** A phone has to scan a code again. */
const RELINK: ReadonlySet<AccountCode> = new Set(["logged_out", "not_linked"]);

export const whatsapp: Check = {
  name: "WhatsApp",
  look: async ({ gateway }) => {
    if (gateway === null) return [skipped(NO_SETTINGS)];
    const { link, accounts } = await settled(gateway);
    if (link !== "up") return [skipped("the gateway is not connected")];
    if (accounts.size === 0)
      return [fail("OpenClaw names no WhatsApp account", "see channels.whatsapp in openclaw.json.example")];
    return [...accounts].map(([id, { code, sentence, action }]) => {
      const seen = `account ${shownId(id)}: ${sentence}`;
      if (code === "connected") return ok(seen);
      if (code === "disabled") return skipped(seen);
      if (RELINK.has(code)) return fail(seen, `hotbags relink ${shownId(id)} --qr`);
      const advice = action || "look again in a minute";
      return PASSING.has(code) ? warn(seen, advice) : fail(seen, advice);
    });
  },
};
