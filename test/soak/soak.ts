import { parseArgs } from "node:util";
import { openShop } from "../shop/shop.ts";
import { killLoop } from "./kill-loop.ts";
import { broken, drawLedger } from "./ledger.ts";

const USAGE = `npm run soak -- [--minutes N] [--seed S]

Lets customers write for N minutes (default 10) while the gateway, the sidecar and Hot Bags are killed at random, and ends with a ledger. The seed (default: a new one, printed) repeats a run.
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      seed: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (!(minutes > 0) || !Number.isInteger(seed)) {
    process.stderr.write(`--minutes must be a number above 0, and --seed a whole number.\n\n${USAGE}`);
    return 2;
  }
  say(`soak: ${minutes} minutes, seed ${seed}`);
  const start = performance.now();
  const log = (line: string) => say(`${((performance.now() - start) / 1000).toFixed(1).padStart(7)} s  ${line}`);
  const shop = await openShop({ log });
  try {
    const durationMs = minutes * 60_000;
    const ledger = await killLoop(shop, {
      seed,
      durationMs,
      gatewayKills: Math.ceil(minutes / 1.5),
      customers: 20,
      messagesPerSecond: 4,
      log,
    });
    say(`\n${drawLedger(ledger)}\n`);
    const wrong = broken(ledger);
    for (const line of wrong) say(`BROKEN: ${line}`);
    say(
      wrong.length === 0 ? "Every promise was kept." : `Repeat it: npm run soak -- --minutes ${minutes} --seed ${seed}`,
    );
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await shop.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
