import { TESTED } from "@hotbags/shared";
import { type Gateway, type GatewayState, gatewayUnit, isStarting } from "../gateway/index.ts";
import { type Check, NO_SETTINGS } from "./check.ts";
import { fail, ok, skipped, warn } from "./finding.ts";

/** How long a gateway that is just being connected to is waited for, ms. */
const PATIENCE_MS = 8_000;

export const gateway: Check = {
  name: "gateway",
  look: async ({ gateway }) => {
    if (gateway === null) return [skipped(NO_SETTINGS)];
    const { link, reason } = await settled(gateway);
    if (link !== "up") {
      const seen = reason ?? "the gateway does not answer";
      const unit = await gatewayUnit();
      if (link === "down" && isStarting(unit)) return [warn(seen, "look again in a minute")];
      const isUp = unit !== null && unit.upMs !== null;
      const first = isUp ? "see journalctl -u openclaw-gateway" : "start it (systemctl start openclaw-gateway)";
      return [fail(seen, `${first}, and see OPENCLAW_GATEWAY_URL and _TOKEN`)];
    }
    const { openclaw } = gateway.versions;
    if (openclaw === null || openclaw === TESTED.openclaw) return [ok(`connected, OpenClaw ${openclaw ?? ""}`.trim())];
    const advice = `npm install -g openclaw@${TESTED.openclaw} and restart the gateway, or update the bridge to a release that was tested with it`;
    return [warn(`connected, but it is OpenClaw ${openclaw}, and ${TESTED.openclaw} was tested`, advice)];
  },
};

/** The state once it is known whether there is a link, and which accounts there are; the last one when that takes too long. */
export async function settled(gateway: Gateway): Promise<GatewayState> {
  if (isSettled(gateway.state)) return gateway.state;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, PATIENCE_MS);
  const stop = gateway.onChange((state) => {
    if (isSettled(state)) resolve();
  });
  await promise;
  clearTimeout(timer);
  stop();
  return gateway.state;
}

function isSettled({ link, accounts }: GatewayState): boolean {
  if (link !== "up") return link !== "connecting";
  return accounts.size > 0 && [...accounts.values()].every(({ code }) => code !== "unknown");
}
