import { INBOUND_PATH } from "../../shared/src/index.ts";
import { type Clock, systemClock } from "../../sidecar/src/clock.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { HotBags as HotBagsClient, type HotBagsOptions } from "../../sidecar/src/relay/hotbags.ts";
import { Relay, type RelayOptions } from "../../sidecar/src/relay/relay.ts";
import { type Accepted, openStore, type Store } from "../../sidecar/src/store/index.ts";

export const TOKEN = "bearer-of-the-test";
export const ANNA = "+15550001001";

/** What no attempt takes on the busiest machine, ms. */
const PATIENCE_MS = 20_000;

/** As in production, only that nobody waits. */
const OPTIONS: RelayOptions = {
  concurrency: 8,
  backoff: { baseMs: 4, maxMs: 20 },
  probeBackoff: { baseMs: 4, maxMs: 20 },
  maxRetryingMs: 24 * 3_600_000,
};

/** What most tests of the HTTP client have in common. */
export const PLAIN = {
  ...{ inboundPath: INBOUND_PATH, extraHeaders: {}, connectTimeoutMs: 0 },
  ...{ maxRetryAfterMs: 900_000, connections: 40 },
};

/** The relay with its real store and HTTP client, in the test's own process. */
export interface RealRelay {
  store: Store;
  relay: Relay;
  client: HotBagsClient;
  /** The client's options; it reads `timeoutMs` anew for each attempt. */
  http: HotBagsOptions;
  /** Its log. */
  lines: Record<string, unknown>[];
  /** The chats that were said to have commands. */
  commandChats: number[];
  /** Takes a message in that has its id as text. */
  takeIn(id: string, chat?: string): Promise<Accepted>;
  stop(): Promise<void>;
}

export interface RealRelayOptions {
  /** Where its state is. */
  dir: string;
  /** The backend's base URL. */
  url: string;
  options?: Partial<RelayOptions>;
  bearerToken?: string;
  clock?: Clock;
}

export function startRelay(settings: RealRelayOptions): RealRelay {
  const { dir, url, options = {}, bearerToken = TOKEN, clock = systemClock } = settings;
  const lines: Record<string, unknown>[] = [];
  const log = openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) });
  const store = openStore(dir, clock);
  const http: HotBagsOptions = {
    baseUrl: new URL(url),
    bearerToken,
    hmacSecret: null,
    timeoutMs: PATIENCE_MS,
    ...PLAIN,
  };
  const client = new HotBagsClient(http);
  const commandChats: number[] = [];
  const onCommands = (chat: number) => void commandChats.push(chat);
  const relay = new Relay(
    {
      ...{ store, hotbags: client, clock, log, random: Math.random, onCommands },
      alarm: ({ text, ...about }) => log.error({ ...about, alarm: true }, text),
    },
    { ...OPTIONS, ...options },
  );
  relay.start();
  return {
    store,
    relay,
    client,
    http,
    lines,
    commandChats,
    async takeIn(id, chat = ANNA) {
      const accepted = await store.messages.accept({
        account_id: "default",
        message_id: id,
        chat_id: chat,
        from: ANNA,
        text: id,
        media: [],
        timestamp: "2026-03-01T12:00:00.000Z",
        raw: {},
      });
      relay.offer(accepted.chat);
      return accepted;
    },
    async stop() {
      await relay.stop();
      await client.close();
      store.close();
    },
  };
}
