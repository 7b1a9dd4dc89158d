import { type Check, fail, pass, skip, statusOf, wrong } from "./check.ts";
import { isTaken } from "./context.ts";

// What `hotbags doctor` gets from it, before the first message.

/** What frameworks answer where nobody has written a HEAD. */
const NO_PING = new Set([404, 405, 501]);

const HOW = "hotbags doctor can't tell by it whether the token is taken (docs/contract, Ping)";

const ping: Check = {
  name: "ping",
  rule: "a HEAD gets 204 with the right token and signature, and 401 without; or is not there at all",
  needs: ["taken"],
  async run({ backend }) {
    const own = await backend.ping("bridge");
    if (isTaken(own)) {
      const stranger = await backend.ping("stranger");
      if (stranger.status === 401 || stranger.status === 403)
        return pass(`got ${statusOf(own)}, and without a token ${statusOf(stranger)}`);
      return skip(`a HEAD gets ${statusOf(stranger)} without a token: ${HOW}`);
    }
    if (own.status !== null && NO_PING.has(own.status)) return skip(`a HEAD gets ${statusOf(own)}: ${HOW}`);
    if (own.status !== 401 && own.status !== 403) return wrong(own);
    return fail(
      `a HEAD with the right token got ${statusOf(own)}, and hotbags doctor takes that for a wrong token`,
      "answer 204 where token and signature (of no bytes) are right, or 405 to every HEAD",
    );
  },
};

export const PING_CHECKS: readonly Check[] = [ping];
