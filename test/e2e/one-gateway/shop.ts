import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failpoint } from "../../crash/failpoint.ts";
import { type HttpsServer, startHttpsServer } from "../../https-server.ts";
import { openShop, type Shop } from "../../shop/shop.ts";

/** The plugin's limit for files, so low that a test can go beyond it. */
export const MAX_FILE_BYTES = 6_000_000;

/** The shop of all suites in this folder; open while their tests run. */
export let shop: Shop;

/** Where its processes can be killed. */
export const crash = { sidecar: new Failpoint(), gateway: new Failpoint() };

/** A server whose name and address are of the internet to the sidecar: see far-away.mjs. */
export let farAway: HttpsServer;
const FAR_AWAY = "files.shop.example";
const folder = mkdtempSync(join(tmpdir(), "hotbags-far-away-"));

/** Opens the shop with all that any of the suites needs. The bot is `default`; `outlet` is its second number. */
export async function open(): Promise<void> {
  farAway = await startHttpsServer(FAR_AWAY);
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, farAway.ca);
  shop = await openShop({
    accounts: [
      { id: "default", number: "+15559990000" },
      { id: "outlet", number: "+15559990001" },
    ],
    pluginConfig: { maxFileBytes: MAX_FILE_BYTES },
    sidecarPreload: crash.sidecar,
    gatewayPreload: crash.gateway,
    sidecarEnv: {
      HOTBAGS_COMMANDS: "reply_to,send_media,react",
      HOTBAGS_FAR_AWAY: FAR_AWAY,
      BRIDGE_OUTBOUND: "any",
      BRIDGE_OUTBOUND_PER_MINUTE: "0",
      NODE_EXTRA_CA_CERTS: ca,
      NODE_OPTIONS: `--import=${crash.sidecar.module} --import=${new URL("./far-away.mjs", import.meta.url).href}`,
    },
    configPatch(config) {
      // The example has none of it: Hot Bags may react only where the operator has switched it on here, too.
      const { whatsapp } = config.channels;
      whatsapp["actions"] = { ...(whatsapp["actions"] as object), reactions: true };
      whatsapp["reactionLevel"] = "minimal";
      return undefined;
    },
  });
}

export async function close(): Promise<void> {
  await shop?.close();
  await farAway?.close();
  rmSync(folder, { recursive: true, force: true });
  for (const point of Object.values(crash)) point.remove();
}
