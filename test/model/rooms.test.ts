import fc from "fast-check";
import { afterAll, beforeAll, describe, it, type TestContext } from "vitest";
import { rooms } from "../fleet/rooms.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { newModel, STEPS } from "./histories.ts";

// Random histories against both rooms of the store. What only the embedded store has yet is in store.test.ts.

describe.each(rooms())("$name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  it("keeps its promises over random histories", { timeout: 240_000 }, async (test: TestContext) => {
    const property = fc.asyncProperty(fc.commands(STEPS, { size: "+1" }), async (history) => {
      await using opened = await room.open(test, new SimulatedClock());
      const model = newModel();
      await fc.asyncModelRun(() => ({ model, real: opened }), history);
    });
    // As in store.test.ts: the seed and path that are printed repeat it.
    await fc.assert(property, { numRuns: 10, endOnFailure: true });
  });
});
