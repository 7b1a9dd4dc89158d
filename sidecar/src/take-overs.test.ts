import { expect, it } from "vitest";
import { SimulatedClock } from "../../test/simulated-clock.ts";
import { openLog } from "./log.ts";
import { TakeOvers } from "./take-overs.ts";

/** Accounts come and go as the test says; the parts note what they are told. */
function stand({ owned = [] as string[], failures = 0 } = {}) {
  const clock = new SimulatedClock();
  const told: string[] = [];
  const listeners = {
    ...{ owned: (_: string) => {}, beside: (_: string) => {}, touched: (_: string) => {}, lost: (_: string) => {} },
    leaving: async (_: string) => {},
  };
  const lines: Record<string, unknown>[] = [];
  let left = failures;
  const part = (name: string) => ({
    async takeUp(account: string) {
      if (name === "relay" && left-- > 0) throw new Error("the database is away");
      told.push(`${name} takes up ${account}`);
    },
    async look(account: string) {
      if (name === "relay" && left-- > 0) throw new Error("the database is away");
      told.push(`${name} looks for work of ${account}`);
    },
    async leave(account: string) {
      await turn();
      told.push(`${name} has ended what it did of ${account}`);
    },
    letGo: (account: string) => void told.push(`${name} lets ${account} go`),
  });
  const [replies, relay] = [part("replies"), part("relay")];
  const takeOvers = new TakeOvers({
    store: {
      onOwned(listener) {
        listeners.owned = listener;
        for (const account of owned) listener(account);
        return () => {};
      },
      onBeside(listener) {
        listeners.beside = listener;
        return () => {};
      },
      onTouched(listener) {
        listeners.touched = listener;
        return () => {};
      },
      onLeaving(listener) {
        listeners.leaving = listener;
        return () => {};
      },
      onLost(listener) {
        listeners.lost = listener;
        return () => {};
      },
    },
    parts: [replies, relay],
    beside: [replies],
    timers: clock,
    log: openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) }),
    random: () => 0.999,
  });
  takeOvers.start();
  return { clock, told, lines, takeOvers, ...listeners };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("has an account taken up in the order of the parts, and let go by all; what was ours at the start is the start's", async () => {
  const { told, owned, beside, lost } = stand({ owned: ["first"] });
  await turn();
  expect(told).toEqual([]);
  owned("shop");
  beside("shop");
  await turn();
  expect(told.splice(0)).toEqual(["replies takes up shop", "relay takes up shop"]);
  lost("shop");
  expect(told).toEqual(["replies lets shop go", "relay lets shop go"]);
});

it("has replies taken up when its gateway comes to an account that is ours", async () => {
  const { told, owned, beside } = stand();
  owned("shop");
  await turn();
  expect(told.splice(0)).toEqual(["relay takes up shop"]);
  beside("shop");
  await turn();
  expect(told).toEqual(["replies takes up shop"]);
});

it("has all parts look where another process has written something, until they could", async () => {
  const { clock, told, touched } = stand({ failures: 1 });
  touched("shop");
  await turn();
  expect(told.splice(0)).toEqual(["replies looks for work of shop"]);
  clock.advance(1_000);
  await turn();
  expect(told).toEqual(["replies looks for work of shop", "relay looks for work of shop"]);
});

it("waits for what all parts have under way before an account is given back", async () => {
  const { told, leaving } = stand();
  await leaving("shop");
  expect(told).toEqual(["replies has ended what it did of shop", "relay has ended what it did of shop"]);
});

it("tries again where the store is away, from the beginning, and no more once the account is lost", async () => {
  const { clock, told, lines, owned, beside, lost } = stand({ failures: 3 });
  owned("shop");
  beside("shop");
  await turn();
  expect(told.splice(0)).toEqual(["replies takes up shop"]);
  clock.advance(1_000);
  await turn();
  expect(told.splice(0)).toEqual(["replies takes up shop"]);
  lost("shop");
  told.splice(0);
  clock.advance(60_000);
  await turn();
  expect(told).toEqual([]);
  owned("shop");
  beside("shop");
  await turn();
  clock.advance(60_000);
  await turn();
  expect(told).toEqual(["replies takes up shop", "replies takes up shop", "relay takes up shop"]);
  expect(lines.filter(({ alarm }) => alarm === true)).toEqual([]);
});

it("takes up nothing of an account that is lost in the same turn", async () => {
  const { told, owned, beside, lost } = stand();
  owned("shop");
  beside("shop");
  lost("shop");
  await turn();
  expect(told).toEqual(["replies lets shop go", "relay lets shop go"]);
});

it("stops in the midst of a wait", async () => {
  const { told, owned, beside, takeOvers } = stand({ failures: 1 });
  owned("shop");
  beside("shop");
  await turn();
  await takeOvers.stop();
  expect(told).toEqual(["replies takes up shop"]);
});
