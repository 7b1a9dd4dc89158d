import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { startGateway } from "../openclaw/index.ts";
import { BOT_NUMBER, CUSTOMERS, openShop } from "../shop/shop.ts";
import { startWhatsApp, type WhatsApp } from "../whatsapp/index.ts";

const EMPTY_CLAIM = fileURLToPath(new URL("./empty-claim", import.meta.url));

/** A running gateway whose messages can be counted as they pass. */
export type Contender = {
  name: string;
  whatsapp: WhatsApp;
  /** Messages that have passed, since the start. */
  passed(): number;
  /** The gateway's process. */
  pid(): number | undefined;
  close(): Promise<void>;
};

/** The bridge: a message has passed when Hot Bags has it, behind our plugin and the sidecar. */
export async function startBridge(log: (line: string) => void): Promise<Contender> {
  const shop = await openShop({ log });
  return {
    name: "our plugin",
    whatsapp: shop.whatsapp,
    passed: () => shop.hotbags.accepted.length,
    pid: () => shop.gateway.pid,
    close: shop.close,
  };
}

/** The same gateway with a plugin that claims and does nothing: a message has passed when its hook is called. */
export async function startEmptyClaim(log: (line: string) => void): Promise<Contender> {
  let passed = 0;
  const count = (bytes: Buffer) => {
    passed += bytes.length;
  };
  const ticks = createServer((socket) => socket.on("data", count).unref());
  await new Promise<void>((resolve) => ticks.listen(0, "127.0.0.1", resolve));
  const address = ticks.address();
  if (address === null || typeof address === "string") throw new Error("no port to count on");
  const whatsapp = await startWhatsApp();
  const gateway = await startGateway({
    whatsapp,
    number: BOT_NUMBER,
    sidecarUrl: "ws://127.0.0.1:1",
    bridgeToken: "unused",
    allowFrom: CUSTOMERS,
    plugin: { path: EMPTY_CLAIM },
    env: { BENCH_TICK_PORT: String(address.port) },
    log,
  });
  const close = async () => {
    await gateway.dispose();
    await whatsapp.close();
    ticks.close();
  };
  try {
    await Promise.all([gateway.listening(), whatsapp.online()]);
  } catch (error) {
    await close();
    throw error;
  }
  return { name: "empty claim hook", whatsapp, passed: () => passed, pid: () => gateway.pid, close };
}
