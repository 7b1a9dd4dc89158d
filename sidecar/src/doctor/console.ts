import { reasonOf } from "@hotbags/shared";
import type { Check } from "./check.ts";
import { type Finding, fail, ok } from "./finding.ts";

/** It answers at once, or not at all. */
const ANSWER_MS = 5_000;

/** Where it is switched on and should listen, whether it does: messages flow without it, so nothing else would say so. */
export const console: Check = {
  name: "console",
  look: async ({ settings, running }) => {
    if (!settings?.console || running === null) return [];
    const { address, origin, readOnly } = settings.console;
    const where = `http://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
    const found = await askAt(where);
    if (found !== null) return [found];
    const by = origin === null ? "" : `, and by ${origin.origin} from a reverse proxy`;
    return [ok(`it listens at ${where}${by}${readOnly ? ", and is read-only" : ""}; hotbags console prints a link`)];
  },
};

/** Null: the console is there. */
async function askAt(where: string): Promise<Finding | null> {
  try {
    const { status } = await fetch(`${where}/api/session`, { signal: AbortSignal.timeout(ANSWER_MS) });
    // Nobody is logged in here.
    if (status === 401) return null;
    return fail(`something else answers at ${where}, with ${status}`, "set BRIDGE_CONSOLE to another port");
  } catch (error) {
    const advice =
      "restart the sidecar if BRIDGE_CONSOLE was set since it started; else its log says why it can't listen";
    return fail(`nobody answers at ${where} (${reasonOf(error)})`, advice);
  }
}
