import type { Pinged } from "../relay/hotbags.ts";
import { ruleFor } from "../relay/rules.ts";
import { type Check, NO_SETTINGS, type Running } from "./check.ts";
import { type Finding, fail, ok, skipped, warn } from "./finding.ts";

/** Of a backend that has no ping: frameworks answer these to a HEAD that nobody has written. */
const NO_PING = new Set([404, 405, 501]);

const HOW = "docs/contract/README.md#ping says how Hot Bags can answer, so that this can be told";

/** Never a POST: nothing is created at Hot Bags. docs/contract/README.md#ping is the other end of this. */
export const hotbags: Check = {
  name: "Hot Bags",
  look: async ({ ping, pingAsStranger, running }) => {
    if (ping === null) return [skipped(NO_SETTINGS)];
    const pinged = await ping();
    const { symptom } = pinged;
    const { fault, advice } = ruleFor(symptom);
    if (symptom.status !== null && symptom.trouble === null) {
      if (symptom.status < 300) {
        const stranger = await pingAsStranger();
        return [isRefused(stranger) ? accepted(pinged) : cannotTell("to a stranger too", pinged, running)];
      }
      const isUnknown = NO_PING.has(symptom.status) && symptom.vercelError === null;
      if (isUnknown || fault === "contract" || fault === "nobody") return [cannotTell("to a HEAD", pinged, running)];
    }
    return [fail(`${symptom.seen} at ${symptom.url.origin}${symptom.url.pathname}`, advice(symptom))];
  },
};

function accepted({ symptom, tookMs }: Pinged): Finding {
  return ok(`${symptom.url.host} is reachable and takes the token (${symptom.status} in ${Math.round(tookMs)} ms)`);
}

function cannotTell(to: string, { symptom, takesPosts }: Pinged, running: Running | null): Finding {
  const taken = running?.hotbags.last_success_at ?? null;
  if (taken !== null) return ok(`${symptom.url.host} is reachable, and took a message last at ${taken}`);
  const place = takesPosts ? ". It takes POST there, so the address is right" : "";
  const what = `whether ${symptom.url.host} takes the token can't be told: it answers ${symptom.status} ${to}${place}`;
  const address = takesPosts ? "" : "see that HOTBAGS_BASE_URL and HOTBAGS_INBOUND_PATH are right; ";
  return warn(what, `${address}${HOW}`);
}

/** By whoever checks the token: a login or firewall before Hot Bags would not have let the first one through. */
function isRefused({ symptom: { status } }: Pinged): boolean {
  return status === 401 || status === 403;
}
