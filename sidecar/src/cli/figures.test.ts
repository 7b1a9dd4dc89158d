import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { readSeries } from "../figures/series.ts";
import { emptyTally, type Figure } from "../store/index.ts";
import type { Operator } from "./connect.ts";
import { showFigures } from "./figures.ts";
import type { Output } from "./output.ts";

const NOW = Date.parse("2026-03-01T12:00:30Z");

/** What `hotbags figures --range hour` prints for these minutes, each so many minutes ago. */
async function shown(minutes: [number, Partial<Figure["tally"]>][]) {
  const figures = minutes.map(([ago, tally]) => ({
    at: Math.floor(NOW / 60_000 - ago) * 60,
    tally: { ...emptyTally(), ...tally },
  }));
  const series = await readSeries({ between: async () => figures }, "hour", NOW);
  const stream = () => Object.assign(new PassThrough(), { isTTY: false });
  const [out, err] = [stream(), stream()];
  const operator = { ask: async () => series } as unknown as Operator;
  await showFigures(operator, "hour", { json: false, out, err } as unknown as Output);
  return { said: String(out.read() ?? ""), aside: String(err.read() ?? "") };
}

it("has what passed, how much of the time is known, what failed most, and how long each hop took", async () => {
  const whole: number[] = [];
  whole[80] = 95;
  whole[90] = 5;
  const { said } = await shown([
    [2, { messagesIn: 100, repliesOut: 99, waiting: 7, failures: { busy: 1, timeout: 12 } }],
    [1, { messagesIn: 1, repliesWaiting: 1, hops: { ...emptyTally().hops, whole } }],
  ]);
  expect(said.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, "TIME")).toBe(
    [
      "since        TIME",
      "known        2 of 60 times 1 min: in the others the sidecar did not run",
      "messages in  101",
      "replies out  99",
      "waited       at most 7 messages for Hot Bags, 1 reply for WhatsApp",
      "failures     timeout 12, busy 1",
      "",
      "took     half within  95 % within  what",
      "capture                            from the customer to the sidecar",
      "hotbags                            Hot Bags' answer",
      "reply                              from that to the reply",
      "whole    2 s          2 s          from the customer to the reply",
      "",
    ].join("\n"),
  );
});

it("says that nothing is known, where nobody counted", async () => {
  expect(await shown([])).toEqual({ said: "", aside: expect.stringMatching(/^Nothing is known of the last hour/) });
});
