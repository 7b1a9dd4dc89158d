import { openShop, type Shop } from "../shop/shop.ts";
import { Failpoint } from "./failpoint.ts";

/** The shop of the suites in this folder; open while their tests run. */
export let shop: Shop;

/** Where its processes can be killed. */
export const crash = { sidecar: new Failpoint(), gateway: new Failpoint() };

export async function open(): Promise<void> {
  const sidecarEnv = { BRIDGE_OUTBOUND: "any", BRIDGE_OUTBOUND_PER_MINUTE: "0" };
  shop = await openShop({ sidecarPreload: crash.sidecar, gatewayPreload: crash.gateway, sidecarEnv });
}

export async function close(): Promise<void> {
  await shop?.close();
  for (const point of Object.values(crash)) point.remove();
}
