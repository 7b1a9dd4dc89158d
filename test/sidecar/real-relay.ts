import { INBOUND_PATH } from "../../shared/src/index.ts";
import { type Clock, systemClock, type Timers } from "../../sidecar/src/clock.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { HotBags as HotBagsClient, type HotBagsOptions } from "../../sidecar/src/relay/hotbags.ts";
import { MAX_RETRY_AFTER_MS, Relay, type RelayOptions, relayOptions } from "../../sidecar/src/relay/relay.ts";
import type { Accepted, Store } from "../../sidecar/src/store/index.ts";
import { openStoreOfTest } from "../shop/store-of-tests.ts";
import { BEARER_TOKEN } from "./built-sidecar.ts";
import { lateIfAsked } from "./late-reads.ts";
import { ANNA, messageOf } from "./message.ts";

/** What no attempt takes on the busiest machine, ms. */
const PATIENCE_MS = 20_000;

/** Of the HTTP client. One for all: each that writes to the standard output has something to do as the process ends. */
const LOG = openLog("error");

/** As in production, only that nobody waits. */
export const QUICK: RelayOptions = {
  concurrency: { least: 8, most: 8 },
  backoff: { baseMs: 4, maxMs: 20 },
  probeBackoff: { baseMs: 4, maxMs: 20 },
  maxRetryingMs: 24 * 3_600_000,
};

/** As in production. */
export const RELAY_DEFAULTS = relayOptions(24 * 3_600_000);

/** The relay with its real store and HTTP client, in the test's own process. */
export interface RealRelay {
  store: Store;
  relay: Relay;
  client: HotBagsClient;
  /** What it found at its start is taken up. A message that is there before may be found, too. */
  started: Promise<void>;
  /** The client's options; it reads `timeoutMs` anew for each attempt. */
  http: HotBagsOptions;
  /** Its log. */
  lines: Record<string, unknown>[];
  /** The message of each POST so far that has ended, those that reached nobody included. */
  posts: string[];
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
  timers?: Timers;
  random?: () => number;
}

/** The HTTP client's options for a double of Hot Bags. */
export function clientOptions(url: string, bearerToken = BEARER_TOKEN): HotBagsOptions {
  return {
    baseUrl: new URL(url),
    bearerToken,
    ...{ inboundPath: INBOUND_PATH, hmacSecret: null, extraHeaders: {} },
    ...{ connectTimeoutMs: 0, timeoutMs: PATIENCE_MS, maxRetryAfterMs: MAX_RETRY_AFTER_MS },
    connections: RELAY_DEFAULTS.concurrency.most,
    log: LOG,
  };
}

export async function startRelay(settings: RealRelayOptions): Promise<RealRelay> {
  const { dir, url, options = {}, bearerToken = BEARER_TOKEN } = settings;
  const { clock = systemClock, timers, random = Math.random } = settings;
  const lines: Record<string, unknown>[] = [];
  const log = openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) });
  const store = await openStoreOfTest(dir, clock);
  const http = clientOptions(url, bearerToken);
  const client = new HotBagsClient(http);
  const commandChats: number[] = [];
  const posts: string[] = [];
  const onCommands = (chat: number) => void commandChats.push(chat);
  const relay = new Relay(
    {
      store: lateIfAsked(store),
      ...{ hotbags: client, clock, timers, log, random, onCommands, onDoubt: () => {} },
      onPosted: ({ message }) => void posts.push(message.message_id),
      alarm: ({ text, ...about }) => log.error({ ...about, alarm: true }, text),
    },
    { ...QUICK, ...options },
  );
  const started = relay.takeUp();
  return {
    store,
    relay,
    client,
    started,
    http,
    lines,
    posts,
    commandChats,
    async takeIn(id, chat = ANNA) {
      await started;
      const accepted = await store.messages.accept(messageOf(id, chat));
      relay.accepted(accepted);
      return accepted;
    },
    async stop() {
      await started;
      await relay.stop();
      await client.close();
      await store.close();
    },
  };
}
