import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../until.ts";
import { type Arena, CONTENDERS, type Contender } from "./arena.ts";
import { table } from "./report.ts";
import { burst } from "./rounds.ts";

/** Between two looks, of each customer. */
const MESSAGES = 25;

/** After a burst, ms: what OpenClaw does later with a message is done. */
const SETTLE_MS = 5_000;

/** Replies that take longer, ms, are lost. */
const PATIENCE_MS = 300_000;

/** Who takes the messages, and whether the backend has a reply to each. The empty hook has none. */
interface Way {
  contender: Contender;
  replies: boolean;
}

/** By how much the gateway's process held more after each burst of a way, bytes a message. */
export type Growth = (Way & { bytes: number[] })[];

/**
 * What a gateway holds on to of each message, in turns in one gateway: looked at when all that is garbage was collected, since RSS moves by
 * more from one minute to the next.
 */
export async function growth(
  arena: Arena,
  rounds: number,
  customers: number,
  say: (line: string) => void,
): Promise<Growth> {
  const ways: Growth = [
    { contender: "empty", replies: false, bytes: [] },
    { contender: "ours", replies: false, bytes: [] },
    { contender: "ours", replies: true, bytes: [] },
  ];
  const messages = MESSAGES * customers;
  const run = async ({ contender, replies }: Way) => {
    await arena.answers({ delayMs: 0, replies });
    let heard = 0;
    const forget = arena.onPoint((point) => {
      if (point === "heard") heard += 1;
    });
    for (let n = 1; n <= MESSAGES; n += 1) {
      await burst(arena, contender, { customers, messages: 1 });
      // Baileys can lose what a customer writes at the moment at which a reply goes out to them.
      if (replies) await until("all replies are on the phone", () => heard >= n * customers, PATIENCE_MS);
    }
    forget();
    await sleep(SETTLE_MS);
    return await arena.held();
  };
  // What comes with the first messages comes once.
  let before = 0;
  for (const way of ways) before = await run(way);
  for (let round = 0; round < rounds; round += 1) {
    for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
      const held = await run(way);
      way.bytes.push((held - before) / messages);
      before = held;
    }
    const latest = ways.map(({ contender, bytes }) => `${CONTENDERS[contender]} ${kb(bytes.at(-1) ?? 0)}`);
    say(`round ${round + 1} of ${rounds}: ${latest.join(", ")} KB a message`);
  }
  return ways;
}

const kb = (bytes: number) => (bytes / 1_024).toFixed(1);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Side by side, as Markdown. */
export function growthTable(results: Growth, customers: number): string {
  const [first] = results;
  return [
    `${first?.bytes.length} rounds of ${customers} customers x ${MESSAGES} messages, one after the other:`,
    "",
    table([
      [
        "",
        ...results.map(
          ({ contender, replies }) => `${CONTENDERS[contender]}${replies ? ", with a reply to each" : ""}`,
        ),
      ],
      ["held more, KB a message, mean", ...results.map(({ bytes }) => kb(mean(bytes)))],
      ["least to most", ...results.map(({ bytes }) => `${kb(Math.min(...bytes))} to ${kb(Math.max(...bytes))}`)],
    ]),
  ].join("\n");
}
