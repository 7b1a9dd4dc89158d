import { expect, it } from "vitest";
import { killLoop } from "../soak/kill-loop.ts";
import { broken, drawLedger } from "../soak/ledger.ts";
import { shop } from "./shop.ts";

/** The long version, with a seed of its own each time, is `npm run soak`. */
const SEED = 20260301;

it("loses nothing and repeats nothing while everything is killed at random", async () => {
  const said: string[] = [];
  const log = (line: string) => void said.push(line);
  const ledger = await killLoop(shop, {
    seed: SEED,
    durationMs: 40_000,
    gatewayKills: 1,
    customers: 8,
    messagesPerSecond: 8,
    log,
  });
  console.log(`seed ${SEED}\n${drawLedger(ledger)}`);
  expect(broken(ledger)).toEqual([]);
  expect(ledger.sent).toBeGreaterThan(100);
  expect(said.filter((line) => line.startsWith("kill the")).length).toBeGreaterThan(3);
}, 400_000);
