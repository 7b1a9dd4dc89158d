import { type Check, NO_SETTINGS } from "./check.ts";
import { fail, ok, skipped, warn } from "./finding.ts";

/** An answer's `Date` is in whole seconds, and was on its way. */
const NOTABLE_MS = 30_000;

/** Beyond this, certificates and what others sign with a time begin to fail. */
const MAX_MS = 5 * 60_000;

const ADVICE = "let a time server set it: timedatectl set-ntp true (or it is Hot Bags' clock that is wrong)";

/** This machine's clock against Hot Bags'. */
export const clock: Check = {
  name: "clock",
  look: async ({ ping }) => {
    if (ping === null) return [skipped(NO_SETTINGS)];
    const { date } = await ping();
    const theirs = Date.parse(date ?? "");
    if (Number.isNaN(theirs)) return [skipped("Hot Bags has not said what time it is")];
    const offMs = Date.now() - theirs;
    const seconds = Math.round(Math.abs(offMs) / 1_000);
    if (Math.abs(offMs) < NOTABLE_MS) return [ok("as Hot Bags' clock")];
    const seen = `this machine's clock is ${seconds} s ${offMs > 0 ? "ahead of" : "behind"} Hot Bags'`;
    return [Math.abs(offMs) < MAX_MS ? warn(seen, ADVICE) : fail(seen, ADVICE)];
  },
};
