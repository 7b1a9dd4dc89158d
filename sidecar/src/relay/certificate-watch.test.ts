import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { CertificateWatch } from "./certificate-watch.ts";

const HOUR_MS = 3_600_000;

it("looks at its start and once a day, after an hour where none was shown, and no more once it is stopped", async () => {
  const clock = new SimulatedClock();
  const looks: number[] = [];
  let isShown = false;
  const begun = clock.now();
  const watch = new CertificateWatch(async () => {
    looks.push((clock.now() - begun) / HOUR_MS);
    return isShown;
  }, clock);
  const advance = async (hours: number) => {
    clock.advance(hours * HOUR_MS);
    await turn();
  };
  watch.start();
  await turn();
  isShown = true;
  for (let hour = 0; hour < 49; hour++) await advance(1);
  expect(looks).toEqual([0, 1, 25, 49]);
  watch.stop();
  await advance(24);
  expect(looks).toHaveLength(4);
});
