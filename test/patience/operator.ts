import { openLink } from "../../sidecar/src/gateway/link.ts";
import { DEFAULT_TIMING } from "../../sidecar/src/gateway/timing.ts";
import { openLog } from "../../sidecar/src/log.ts";
import type { Gateway } from "../openclaw/index.ts";

const TIMEOUT_MS = 30_000;

/** Stops one WhatsApp account of a gateway. It stays linked, and nothing in OpenClaw starts it again. */
export async function stopChannel({ url, token }: Gateway, accountId: string): Promise<void> {
  const connected = Promise.withResolvers<void>();
  const link = openLink(url, token, openLog("silent"), DEFAULT_TIMING, {
    up: () => connected.resolve(),
    trouble: ({ reason }) => connected.reject(new Error(`the gateway can't be asked: ${reason}`)),
    pluginsChanged: () => {},
  });
  try {
    await connected.promise;
    await link.request("channels.stop", { channel: "whatsapp", accountId }, { timeoutMs: TIMEOUT_MS });
  } finally {
    await link.close();
  }
}
