import { once } from "node:events";
import WebSocket from "ws";
import { type InboundMessage, type SidecarFrame, TESTED, VERSION } from "../../shared/src/index.ts";

/** A plugin's side of the wire, spoken by hand. */
export interface ScriptedPlugin {
  socket: WebSocket;
  /** Sends a frame and resolves with the next one that comes back. */
  ask(frame: object): Promise<SidecarFrame>;
  /** Hands a message in, and resolves with what the sidecar says to it. */
  handIn(message: InboundMessage): Promise<SidecarFrame>;
}

/** Resolves when the sidecar has welcomed it. */
export async function connectPlugin(where: number | string, token: string, version = VERSION): Promise<ScriptedPlugin> {
  const url = typeof where === "number" ? `ws://127.0.0.1:${where}` : where;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  await once(socket, "open");
  let ref = 0;
  const ask = async (frame: object): Promise<SidecarFrame> => {
    socket.send(JSON.stringify({ v: 1, ...frame }));
    const [data] = await once(socket, "message");
    return JSON.parse(String(data));
  };
  const handIn = (message: InboundMessage) => ask({ type: "message", ref: ref++, message });
  const welcome = await ask({ type: "hello", plugin_version: version, openclaw_version: TESTED.openclaw });
  if (welcome.type !== "welcome") throw new Error(`the sidecar said ${welcome.type} to a hello`);
  return { socket, ask, handIn };
}
