// The least that a plugin can do with a WhatsApp message: end its turn, with the same answer as ours. One byte to the bench tells that it has passed.
import { createConnection } from "node:net";

const CLAIM = { handled: true, queuedFinal: true, counts: { tool: 0, block: 0, final: 0 } };

export default {
  id: "hotbags",
  name: "Empty claim hook",
  register(api) {
    if (api.registrationMode !== "full") return;
    let ticks;
    api.on("reply_dispatch", () => {
      ticks ??= createConnection({ port: Number(process.env.BENCH_TICK_PORT), host: "127.0.0.1" }).unref();
      ticks.write(".");
      return CLAIM;
    });
  },
};
