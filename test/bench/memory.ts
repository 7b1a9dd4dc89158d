import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CUSTOMERS, openShop, type Shop } from "../shop/shop.ts";
import { until } from "../until.ts";
import { document } from "../whatsapp/index.ts";
import { treeRss } from "./processes.ts";

const USAGE = `npm run bench:memory -- [--messages N] [--files N] [--file-mib N] [--idle SECONDS] [--gateway-heap MIB] [--sidecar-heap MIB]
                     [--gateway-env NAME=VALUE ...] [--json]

How much memory (RSS) the real gateway, with our plugin and all that it has started, and the sidecar take: when nothing is to do,
in a burst of messages that are all answered (default 500, of 50 customers), and in one of documents (default 100 of 4 MiB).
--gateway-heap and --sidecar-heap are their --max-old-space-size, to see what is enough (default: Node's own).
--gateway-env adds to the gateway's environment, to see what that saves.
`;

const CUSTOMERS_AT_ONCE = 50;
/** A burst that takes longer, ms, is stuck. */
const PATIENCE_MS = 600_000;
/** Between two looks at the memory, ms: an allocation that is gone within it costs the machine nothing either. */
const LOOK_EVERY_MS = 200;

interface Plan {
  messages: number;
  files: number;
  fileMib: number;
  idleMs: number;
  gatewayHeap: number;
  sidecarHeap: number;
  gatewayEnv: Record<string, string>;
}

/** The most that was seen, MiB. */
interface Seen {
  phase: string;
  gateway: number;
  sidecar: number;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

function readPlan(): (Plan & { json: boolean }) | undefined {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "500" },
      files: { type: "string", default: "100" },
      "file-mib": { type: "string", default: "4" },
      idle: { type: "string", default: "60" },
      "gateway-heap": { type: "string", default: "0" },
      "sidecar-heap": { type: "string", default: "0" },
      "gateway-env": { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  const texts = [values.messages, values.files, values["file-mib"], values.idle];
  const counts = [...texts, values["gateway-heap"], values["sidecar-heap"]].map(Number);
  const [messages = 0, files = 0, fileMib = 0, idle = 0, gatewayHeap = 0, sidecarHeap = 0] = counts;
  if (values.help || !counts.every((value) => Number.isSafeInteger(value) && value >= 0)) return undefined;
  const pairs = values["gateway-env"].map(
    (pair) => /^(\w+)=(.*)$/.exec(pair)?.slice(1) as [string, string] | undefined,
  );
  if (!pairs.every((pair) => pair !== undefined)) return undefined;
  const gatewayEnv = Object.fromEntries(pairs);
  return { messages, files, fileMib, idleMs: idle * 1_000, gatewayHeap, sidecarHeap, gatewayEnv, json: values.json };
}

/** The most that both held while this was done. */
async function watch(shop: Shop, phase: string, work: () => Promise<unknown>): Promise<Seen> {
  let [gateway, sidecar] = [0, 0];
  const look = () => {
    gateway = Math.max(gateway, treeRss(shop.gateway.pid));
    sidecar = Math.max(sidecar, treeRss(shop.sidecar.pid));
  };
  const looking = setInterval(look, LOOK_EVERY_MS);
  const start = performance.now();
  try {
    await work();
  } finally {
    clearInterval(looking);
  }
  look();
  const mib = (bytes: number) => Math.round(bytes / 1024 ** 2);
  say(
    `${phase}: gateway ${mib(gateway)} MiB, sidecar ${mib(sidecar)} MiB (${Math.round((performance.now() - start) / 1_000)} s)`,
  );
  return { phase, gateway: mib(gateway), sidecar: mib(sidecar) };
}

/** So many messages of all customers at once; resolves when Hot Bags has them and the answers are sent. */
async function burst(shop: Shop, count: number, write: (number: string, n: number) => Promise<unknown>): Promise<void> {
  const wanted = shop.hotbags.accepted.length + count;
  const writers = CUSTOMERS.slice(0, CUSTOMERS_AT_ONCE).map(async (number, customer) => {
    for (let n = customer; n < count; n += CUSTOMERS_AT_ONCE) await write(number, n);
  });
  await Promise.all(writers);
  await until("all have passed", () => shop.hotbags.accepted.length >= wanted, PATIENCE_MS);
  // On a busy machine one may be in doubt, and is not sent again.
  const areSettled = async () => {
    const { pending, sending } = (await shop.health()).body["commands"] as Record<string, number>;
    return pending === 0 && sending === 0;
  };
  await until("all are answered", areSettled, PATIENCE_MS);
}

async function main(): Promise<number> {
  const plan = readPlan();
  if (plan === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const { messages, files, fileMib, idleMs, gatewayHeap, sidecarHeap, gatewayEnv, json } = plan;
  const heap = (mib: number) => (mib > 0 ? { NODE_OPTIONS: `--max-old-space-size=${mib}` } : {});
  const shop = await openShop({
    log: say,
    gatewayEnv: { ...gatewayEnv, ...heap(gatewayHeap) },
    sidecarEnv: heap(sidecarHeap),
  });
  try {
    shop.hotbags.answers(({ message_id }) => [{ command_id: message_id, type: "send_text", text: "Yes, in red too." }]);
    const seen = [
      await watch(shop, "after its start", () => sleep(idleMs)),
      await watch(shop, `${messages} messages`, () =>
        burst(shop, messages, (number, n) =>
          shop.whatsapp.contact(number).says(`Message ${n}: do you have it in red?`),
        ),
      ),
      await watch(shop, `${files} documents of ${fileMib} MiB`, () =>
        burst(shop, files, (number, n) =>
          shop.whatsapp
            .contact(number)
            .sends(document(randomBytes(fileMib * 1024 ** 2), { fileName: `list-${n}.pdf` })),
        ),
      ),
      await watch(shop, "idle afterwards", () => sleep(idleMs)),
    ];
    if (json) process.stdout.write(`${JSON.stringify(seen)}\n`);
    return 0;
  } finally {
    await shop.close();
  }
}

process.exitCode = await main();
