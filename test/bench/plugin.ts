import { once } from "node:events";
import WebSocket from "ws";
import { type InboundMessage, type SidecarFrame, TESTED, VERSION } from "../../shared/src/index.ts";
import { BRIDGE_TOKEN } from "../sidecar/built-sidecar.ts";

/** The clock that the far ends go by, too: ms. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

/** The plugin's side of the link, over a unix socket: as many messages under way as the credit allows. */
export class Plugin {
  readonly #socket: WebSocket;
  #credit = 0;
  #refs = 0;
  #acked: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.#read(JSON.parse(String(data))));
  }

  static async connect(path: string): Promise<Plugin> {
    const socket = new WebSocket(`ws+unix:${path}:/`, { headers: { authorization: `Bearer ${BRIDGE_TOKEN}` } });
    await once(socket, "open");
    const plugin = new Plugin(socket);
    const welcomed = once(socket, "message");
    plugin.#send({ type: "hello", plugin_version: VERSION, openclaw_version: TESTED.openclaw });
    await welcomed;
    return plugin;
  }

  /** Resolves when all of them are acked. */
  handIn(messages: readonly InboundMessage[]): Promise<void> {
    return new Promise((resolve) => {
      let [next, left] = [0, messages.length];
      const fill = () => {
        while (next < messages.length && next - (messages.length - left) < this.#credit)
          this.#send({ type: "message", ref: this.#refs++, message: messages[next++] });
      };
      this.#acked = () => {
        left -= 1;
        if (left === 0) resolve();
        else fill();
      };
      fill();
    });
  }

  #send(frame: object): void {
    this.#socket.send(JSON.stringify({ v: 1, ...frame }));
  }

  #read(frame: SidecarFrame): void {
    if (frame.type === "welcome") this.#credit = frame.credit;
    else if (frame.type === "ack") this.#acked();
    else throw new Error(`a message was refused: ${frame.reason}`);
  }
}
