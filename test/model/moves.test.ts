import fc from "fast-check";
import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { type Databases, running, startDatabases } from "../fleet/databases.ts";
import { type MovableRoom, openMovable } from "../fleet/movable-room.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { newModel, STEPS, type Step, step } from "./histories.ts";

// Random histories of a store that is moved from one room into the other in their midst, again and again: whatever it went
// through in one, it goes on with in the other.

let databases: Databases | string;

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

const moveOn: Step = step("move", async (_, opened) => {
  const room = opened as MovableRoom;
  const { tables, ledger, wasDone } = await room.move();
  expect(wasDone).toBe(false);
  const rows = new Map(tables.map((table) => [table.table, table.rows]));
  const ids = Object.entries(ledger).filter(([what]) => what.startsWith("messages "));
  expect(ids.reduce((sum, [, n]) => sum + Number(n), 0)).toBe(rows.get("messages"));
  if (!room.isInPostgres) return;
  // Each account's ledger adds up, though the embedded store has one for all.
  const counters = await room.look<{ account_id: string; name: string; value: number }>("SELECT * FROM counters");
  for (const account of new Set(counters.map(({ account_id }) => account_id))) {
    const of = (name: string) => counters.find((one) => one.account_id === account && one.name === name)?.value ?? 0;
    expect(of("accepted")).toBe(of("delivered") + of("pending") + of("dead") + of("discarded"));
  }
});

it("keeps its promises over moves from one room into the other", { timeout: 600_000 }, async (test: TestContext) => {
  const here = running(test, databases);
  const steps = [...STEPS, fc.constant(moveOn)];
  const property = fc.asyncProperty(fc.commands(steps, { size: "+1" }), async (history) => {
    await using opened = await openMovable(here, new SimulatedClock());
    // Both ways at the least, whatever chance gives.
    await fc.asyncModelRun(() => ({ model: newModel(), real: opened }), [...history, moveOn, ...history, moveOn]);
  });
  await fc.assert(property, { numRuns: 3 });
});
