import { parseArgs } from "node:util";
import { machine, writeReport } from "../bench/report.ts";
import { openShop } from "../shop/shop.ts";
import { Footprints } from "./footprint.ts";
import { killLoop } from "./kill-loop.ts";
import { broken, drawLedger } from "./ledger.ts";
import { steadyLoop } from "./steady.ts";

const USAGE = `npm run soak -- [--minutes N] [--seed S]
       npm run soak -- --steady [--minutes N] [--write]

Lets customers write for N minutes (default 10) while the gateway, the sidecar and Hot Bags are killed at random, and ends with a ledger. The seed (default: a new one, printed) repeats a run.

--steady: nothing is killed, and customers write as fast as the gateway answers them. Besides the ledger it says what the gateway and the
sidecar take (memory, handles, write-ahead logs, what they log) at the start, after each quarter and at the end, to see whether it grows.
--write: puts that into docs/performance.md.
`;

const CUSTOMERS = 20;

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      seed: { type: "string" },
      steady: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (!(minutes > 0) || !Number.isInteger(seed) || (values.write && !values.steady)) {
    const wanted = "--minutes must be a number above 0, and --seed a whole number; --write goes with --steady.";
    process.stderr.write(`${wanted}\n\n${USAGE}`);
    return 2;
  }
  say(`soak: ${minutes} minutes${values.steady ? "" : `, seed ${seed}`}`);
  const start = performance.now();
  const log = (line: string) => say(`${((performance.now() - start) / 1000).toFixed(1).padStart(7)} s  ${line}`);
  const shop = await openShop({ log });
  try {
    const durationMs = minutes * 60_000;
    let footprint: string | undefined;
    const killed = () =>
      killLoop(shop, {
        seed,
        durationMs,
        gatewayKills: Math.ceil(minutes / 1.5),
        customers: CUSTOMERS,
        messagesPerSecond: 4,
        log,
      });
    const steady = async () => {
      const footprints = new Footprints(shop, durationMs);
      const ledger = await steadyLoop(shop, { durationMs, customers: CUSTOMERS, log }).finally(() => footprints.stop());
      footprint = footprints.end();
      return ledger;
    };
    const ledger = await (values.steady ? steady() : killed());
    say(`\n${drawLedger(ledger)}\n`);
    if (footprint !== undefined) {
      const rate = (ledger.sent / durationMs) * 1_000;
      const text = `${machine()}. ${CUSTOMERS} customers, ${rate.toFixed(1)} messages/s, each with a reply.\n\n${footprint}\n`;
      say(text);
      if (values.write) writeReport("soak", text, "soak", process.argv.slice(2));
    }
    const wrong = broken(ledger);
    for (const line of wrong) say(`BROKEN: ${line}`);
    const again = `npm run soak -- --minutes ${minutes} ${values.steady ? "--steady" : `--seed ${seed}`}`;
    say(wrong.length === 0 ? "Every promise was kept." : `Repeat it: ${again}`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await shop.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
