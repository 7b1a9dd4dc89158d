import { backoffMs, safeReason, VERSION } from "@hotbags/shared";
import { GatewayClient } from "@openclaw/gateway-client";
import type { Logger } from "pino";
import { type HelloOk, helloOk } from "./answers.ts";
import { isNobodyThere, type LinkTrouble, troubleOf } from "./refusal.ts";
import type { GatewayTiming } from "./types.ts";
import { type GatewayUnit, gatewayUnit } from "./unit.ts";

/** What we ask for: read for status and history, write for `send`, admin for `channels.start` and nothing else. */
const SCOPES = ["operator.read", "operator.write", "operator.admin"];

/** How a gateway that ends closes its connections: going away, or a restart. */
const POLITE_CODES = new Set([1000, 1001, 1012]);

interface LinkEvents {
  up(hello: HelloOk): void;
  /** `isAbrupt`: there was a link, and it broke without a word. */
  trouble(trouble: LinkTrouble, isAbrupt: boolean): void;
  /** Plugins were installed, updated or reloaded in the running gateway. */
  pluginsChanged(): void;
}

export interface Link {
  /** The next connection shows this token; one that the gateway refuses is begun at once. */
  adopt(token: string): void;
  /** Asks the gateway. Rejects at once, without `onWritten`, when there is no link. `onWritten` is called when the frame was handed to the socket. */
  request(method: string, params: object, options: { timeoutMs: number; onWritten?: () => void }): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Keeps one connection to the gateway. The library's own reconnecting is not used: it stops for good on a wrong token, which
 * an operator may correct at any time, and cannot be hurried in tests. So each connection is a new client.
 */
export function openLink(
  url: string,
  firstToken: string,
  log: Logger,
  timing: GatewayTiming,
  events: LinkEvents,
): Link {
  let token = firstToken;
  let client: GatewayClient | null = null;
  let up = false;
  let closed = false;
  const backoff = { baseMs: timing.reconnectMinMs, maxMs: timing.reconnectMaxMs };
  /** Connections in a row that ended before the gateway's hello, or with it. */
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  const ending = new Set<Promise<void>>();

  function connect(): void {
    let error: unknown = null;
    const shown = token;
    const current = new GatewayClient({
      url,
      token: shown,
      clientVersion: VERSION,
      clientDisplayName: "Hot Bags bridge",
      scopes: SCOPES,
      // With the shared token on loopback the gateway asks for no device (docs/gateway/protocol/handshake).
      deviceIdentity: null,
      notifyOnStartupRetry: true,
      hostDeps: {
        logDebug: (message) => log.debug(safeReason(message)),
        logError: (message) => log.debug(safeReason(message)),
        redactForLog: (message) => (shown === "" ? message : message.replaceAll(shown, "[token]")),
      },
      onHelloOk: (hello) => {
        if (client !== current) return;
        const parsed = helloOk.safeParse(hello);
        if (!parsed.success) {
          end(current, { link: "refused", reason: "the gateway's greeting cannot be read: is it OpenClaw?" });
          return;
        }
        clearTimeout(timer);
        failures = 0;
        up = true;
        events.up(parsed.data);
      },
      onEvent: ({ event }) => {
        if (client === current && up && event === "plugins.changed") events.pluginsChanged();
      },
      onConnectError: (reported) => {
        error = reported;
      },
      onClose: (code, reason, info) => {
        const reported = info?.connectError ?? (info?.phase === "pre-hello" ? error : null);
        const tell = (unit: GatewayUnit | null) =>
          end(current, troubleOf(url, reported, { code, reason }, unit), !POLITE_CODES.has(code));
        // There was no link that could be lost while systemd is asked.
        if (isNobodyThere(reported)) void gatewayUnit().then(tell);
        else tell(null);
      },
    });
    client = current;
    timer = setTimeout(() => {
      end(current, { link: "down", reason: `the gateway at ${url} does not answer` });
    }, timing.connectTimeoutMs);
    current.start();
    // An address that cannot be dialled at all is reported at once, and nothing is called after it.
    if (error !== null) end(current, troubleOf(url, error, null));
  }

  function end(current: GatewayClient, trouble: LinkTrouble, isBroken = false): void {
    if (client !== current) return;
    client = null;
    const isAbrupt = up && isBroken;
    up = false;
    clearTimeout(timer);
    stop(current);
    if (closed) return;
    failures += 1;
    timer = setTimeout(connect, trouble.link === "refused" ? timing.refusedRetryMs : backoffMs(backoff, failures));
    events.trouble(trouble, isAbrupt);
  }

  function stop(current: GatewayClient): void {
    const stopping = current.stopAndWait().catch((error: unknown) => {
      log.warn({ err: error }, "gateway: a connection did not close in time");
    });
    ending.add(stopping);
    void stopping.then(() => ending.delete(stopping));
  }

  connect();
  return {
    adopt(next) {
      if (next === token) return;
      token = next;
      if (client !== null || closed) return;
      clearTimeout(timer);
      connect();
    },
    async request(method, params, { timeoutMs, onWritten }) {
      if (client === null || !up) throw new Error("there is no link to the gateway");
      return await client.request<unknown>(method, params, { timeoutMs, ...(onWritten ? { onSent: onWritten } : {}) });
    },
    async close() {
      closed = true;
      if (client !== null) end(client, { link: "down", reason: "closed" });
      clearTimeout(timer);
      await Promise.all(ending);
    },
  };
}
