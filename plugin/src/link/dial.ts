import type { ClientRequest, IncomingMessage } from "node:http";
import { reasonOf } from "@hotbags/shared";
import { WebSocket } from "ws";
import type { LinkConfig } from "../host/config.ts";
import { guarded } from "../host/guard.ts";

/** The sidecar's frames are a few hundred bytes. */
const MAX_INCOMING_BYTES = 64 * 1024;

export type DialHandlers = {
  open: () => void;
  frame: (text: string) => void;
  pong: () => void;
  /** The connection broke; `isHopeless` if only an operator can mend it. The socket is to be terminated. */
  broke: (why: string, isHopeless: boolean) => void;
  /** One of these threw. The socket is to be terminated. */
  failed: (error: unknown) => void;
  /** The socket is gone, always the last call. */
  closed: (why: string) => void;
};

/** Opens a WebSocket to the sidecar. */
export function dial(config: LinkConfig, openMs: number, handlers: DialHandlers): WebSocket {
  const socket = new WebSocket(config.url, {
    headers: { authorization: `Bearer ${config.token}` },
    handshakeTimeout: openMs,
    maxPayload: MAX_INCOMING_BYTES,
    perMessageDeflate: false,
  });
  const { failed } = handlers;
  const unexpected = (request: ClientRequest, response: IncomingMessage) => {
    const status = response.statusCode ?? 0;
    response.resume();
    handlers.broke(refusal(status), status === 401);
    request.destroy();
  };
  const closed = (code: number, reason: Buffer) => {
    const said = String(reason).slice(0, 120);
    handlers.closed(`the sidecar closed the connection (${code}${said === "" ? "" : `, ${said}`})`);
  };
  socket.on("open", guarded(handlers.open, failed));
  socket.on(
    "message",
    guarded((data, isBinary) => handlers.frame(isBinary ? "" : String(data)), failed),
  );
  socket.on("pong", guarded(handlers.pong, failed));
  socket.on(
    "error",
    guarded((error) => handlers.broke(reasonOf(error), false), failed),
  );
  socket.on("unexpected-response", guarded(unexpected, failed));
  socket.on("close", guarded(closed, failed));
  return socket;
}

function refusal(status: number): string {
  if (status !== 401) return `the sidecar's address answered with HTTP ${status}, not with a WebSocket`;
  return "the sidecar refused us (401): plugins.entries.hotbags.config.token does not match BRIDGE_TOKEN";
}
