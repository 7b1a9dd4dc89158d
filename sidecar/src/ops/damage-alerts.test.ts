import { expect, it } from "vitest";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import type { Damage, Outage } from "../store/index.ts";
import type { Alert } from "./alert.ts";
import { DamageAlerts } from "./damage-alerts.ts";

const HOUR_MS = 3_600_000;

function stand() {
  const clock = new SimulatedClock();
  const raised: Alert[] = [];
  const listeners: (() => void)[] = [];
  const store = { damage: null as Damage | null, outage: null as Outage | null, onDamage };
  function onDamage(listener: () => void) {
    listeners.push(listener);
    return () => {};
  }
  const alerts = { raise: (alert: Alert) => Promise.resolve(raised.push(alert) > 0) };
  return {
    ...{ clock, store, raised },
    watch: new DamageAlerts({ store, alerts, clock }),
    meet(failure: string) {
      store.damage = { failure, since: clock.now() };
      for (const listener of listeners) listener();
    },
  };
}

it("tells of damage once, however often it is met, and again after a day without", () => {
  const { clock, watch, raised, meet } = stand();
  watch.start();
  for (let hour = 0; hour < 48; hour += 1) {
    meet("accept: malformed (SQLITE_CORRUPT)");
    clock.advance(HOUR_MS);
  }
  expect(raised).toMatchObject([{ kind: "database", details: { scope: "rows" } }]);
  expect(raised[0]?.text).toMatch(/accept: malformed \(SQLITE_CORRUPT\).*restore a backup/);
  clock.advance(24 * HOUR_MS);
  meet("another");
  expect(raised).toHaveLength(2);
  expect(new Set(raised.map(({ id }) => id)).size).toBe(2);
});

it("tells apart what costs some messages, and what lets none through", () => {
  const { clock, store, watch, raised, meet } = stand();
  watch.start();
  meet("one row");
  store.outage = { failure: "all", since: clock.now(), isDamage: true };
  meet("all");
  meet("all");
  expect(raised.map(({ details }) => details["scope"])).toEqual(["rows", "all"]);
  expect(raised[1]?.text).toContain("nothing is taken in, delivered or answered");
});

it("tells of what was met before it began to look", () => {
  const { watch, raised, meet } = stand();
  meet("at the start");
  watch.start();
  expect(raised).toHaveLength(1);
});
