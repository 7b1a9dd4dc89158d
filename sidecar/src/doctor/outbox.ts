import { FIRST_CURSOR } from "@hotbags/shared";
import type { Check } from "./check.ts";
import { fail, ok, skipped, warn } from "./finding.ts";

/** Where Hot Bags may send without being asked, whether its outbox can be read: nothing is taken from there. */
export const outbox: Check = {
  name: "outbox",
  look: async ({ settings, running, poll }) => {
    if (!settings || poll === null || settings.outbox.mode === "off") return [];
    const { mode } = settings.outbox;
    const who = mode === "known" ? "chats that have written lately" : "anybody";
    const sends = `what Hot Bags sends of itself goes to ${who} (BRIDGE_OUTBOUND=${mode})`;
    if (running) {
      if (running.outbound === undefined) return [skipped("nothing is asked for while the database is away")];
      // It asks all the time, and knows.
      const { last_answer_at, last_failure } = running.outbound;
      if (last_failure !== null) return [fail(last_failure, "messages and replies go on meanwhile")];
      if (last_answer_at !== null) return [ok(`${sends}; the outbox answered last at ${last_answer_at}`)];
      return [warn("the outbox was not asked yet", "it is when OpenClaw has named its accounts: look again")];
    }
    const problem = await poll(FIRST_CURSOR);
    if (problem !== null) return [fail(problem, "hotbags contract check says more")];
    return [mode === "any" ? warn(`the outbox answers; ${sends}`, BANS) : ok(`the outbox answers; ${sends}`)];
  },
};

const BANS = "WhatsApp bans numbers that write to strangers: BRIDGE_OUTBOUND=known is enough for late answers";
