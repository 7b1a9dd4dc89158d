import { WebSocket } from "ws";
import type { LinkConfig } from "../host/config.ts";
import { reasonOf } from "../host/log.ts";

/** The sidecar's frames are a few hundred bytes. */
const MAX_INCOMING_BYTES = 64 * 1024;

export type DialHandlers = {
  open(): void;
  frame(text: string): void;
  pong(): void;
  /** The connection failed; `isHopeless` if only an operator can mend it. The socket is to be terminated. */
  failed(why: string, isHopeless: boolean): void;
  /** The socket is gone, always the last call. */
  closed(why: string): void;
};

/** Opens a WebSocket to the sidecar. No handler may throw: the exception would end the whole gateway. */
export function dial(config: LinkConfig, openMs: number, handlers: DialHandlers): WebSocket {
  const socket = new WebSocket(config.url, {
    headers: { authorization: `Bearer ${config.token}` },
    handshakeTimeout: openMs,
    maxPayload: MAX_INCOMING_BYTES,
    perMessageDeflate: false,
  });
  socket.on("open", () => handlers.open());
  socket.on("message", (data, isBinary) => handlers.frame(isBinary ? "" : String(data)));
  socket.on("pong", () => handlers.pong());
  socket.on("error", (error) => handlers.failed(reasonOf(error), false));
  socket.on("unexpected-response", (request, response) => {
    const status = response.statusCode ?? 0;
    response.resume();
    handlers.failed(refusal(status), status === 401);
    request.destroy();
  });
  socket.on("close", (code, reason) => {
    const said = String(reason).slice(0, 120);
    handlers.closed(`the sidecar closed the connection (${code}${said === "" ? "" : `, ${said}`})`);
  });
  return socket;
}

function refusal(status: number): string {
  if (status !== 401) return `the sidecar's address answered with HTTP ${status}, not with a WebSocket`;
  return "the sidecar refused us (401): plugins.entries.hotbags.config.token does not match BRIDGE_TOKEN";
}
