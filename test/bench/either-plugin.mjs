// One of three plugins, whichever the file BENCH_CONTENDER names at the time: ours; the usual one; or the least that a plugin can do with
// a message, which is to end its turn with the same answer as ours. With "alone" behind its name at the gateway's start no other is
// loaded, for what it takes by itself. The bench is told of each turn that a plugin has ended, in either case: a line with the message's
// id, and when its hook was called and when it returned, by the machine's monotonic clock, ns. To whatever it says it is told what the
// process holds when all that is garbage is gone: "heap" and bytes.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createConnection } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const { BENCH_CONTENDER, BENCH_PLUGIN, BENCH_PORT } = process.env;
const CLAIM = { handled: true, queuedFinal: true, counts: { tool: 0, block: 0, final: 0 } };
const require = createRequire(import.meta.url);
const PLUGINS = {
  ours: () => require(BENCH_PLUGIN).default,
  usual: () => require("./usual-plugin.mjs").default,
  empty: () => ({ register: (api) => api.on("reply_dispatch", () => CLAIM) }),
};

const chosen = () => readFileSync(BENCH_CONTENDER, "utf8").split(" ");

let bench;
function tell(line) {
  bench ??= createConnection({ port: Number(BENCH_PORT), host: "127.0.0.1" })
    .unref()
    .on("data", () => tell(`heap ${heldBytes()}\n`));
  bench.write(line);
}

function heldBytes() {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function timed(handler, event, ...rest) {
  const called = process.hrtime.bigint();
  const answer = await handler(event, ...rest);
  if (answer?.handled) tell(`${event.ctx.MessageSid} ${called} ${process.hrtime.bigint()}\n`);
  return answer;
}

export default {
  id: "hotbags",
  name: "One of three",
  description: "One of the three plugins that the bench compares.",
  register(api) {
    const [first, alone] = chosen();
    /** By hook, the handler of each. */
    const hooks = new Map();
    for (const name of alone ? [first] : Object.keys(PLUGINS)) {
      const on = (hook, handler) => hooks.set(hook, { ...hooks.get(hook), [name]: handler });
      PLUGINS[name]().register(new Proxy(api, { get: (target, key) => (key === "on" ? on : target[key]) }));
    }
    for (const [hook, handlers] of hooks)
      api.on(hook, (...args) => {
        const handler = handlers[chosen()[0]];
        return handler && hook === "reply_dispatch" ? timed(handler, ...args) : handler?.(...args);
      });
  },
};
