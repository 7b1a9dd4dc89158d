// Our plugin; or, as long as the file BENCH_EMPTY is there, the least that a plugin can do with a WhatsApp message: end its turn, with
// the same answer as ours. One byte to the bench tells then that it has passed. The file is looked for in either case.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createConnection } from "node:net";

const { BENCH_EMPTY, BENCH_PLUGIN, BENCH_TICK_PORT } = process.env;
const CLAIM = { handled: true, queuedFinal: true, counts: { tool: 0, block: 0, final: 0 } };
const { default: ours } = createRequire(import.meta.url)(BENCH_PLUGIN);

let ticks;
function empty(name) {
  if (name !== "reply_dispatch") return undefined;
  ticks ??= createConnection({ port: Number(BENCH_TICK_PORT), host: "127.0.0.1" }).unref();
  ticks.write(".");
  return CLAIM;
}

export default {
  ...ours,
  register(api) {
    const on = (name, handler) => api.on(name, (...args) => (existsSync(BENCH_EMPTY) ? empty(name) : handler(...args)));
    ours.register(new Proxy(api, { get: (target, key) => (key === "on" ? on : target[key]) }));
  },
};
