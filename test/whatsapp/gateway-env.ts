import { MEDIA_PREFIX } from "./server.ts";

/** Points a gateway (or a bare Baileys, as far as it takes its URL from here) to the double on this port. */
export function gatewayEnv(port: number, rootPublicKey: Buffer): Record<string, string> {
  return {
    OPENCLAW_WHATSAPP_WEB_SOCKET_URL: `ws://127.0.0.1:${port}/ws/chat`,
    NODE_OPTIONS: `--import=${new URL("./preload.mjs", import.meta.url).href}`,
    WHATSAPP_DOUBLE_ROOT_KEY: rootPublicKey.toString("hex"),
    WHATSAPP_DOUBLE_MEDIA_BASE: `http://127.0.0.1:${port}${MEDIA_PREFIX}`,
  };
}
