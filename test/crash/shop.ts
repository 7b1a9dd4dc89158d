import { openShop, type Shop } from "../shop/shop.ts";
import { Failpoint } from "./failpoint.ts";

/** The shop of the suites in this folder; open while their tests run. */
export let shop: Shop;

/** Where its processes can be killed. */
export const crash = { sidecar: new Failpoint(), gateway: new Failpoint() };

export async function open(): Promise<void> {
  shop = await openShop({ sidecarPreload: crash.sidecar, gatewayPreload: crash.gateway });
}

export async function close(): Promise<void> {
  await shop?.close();
  for (const point of Object.values(crash)) point.remove();
}
