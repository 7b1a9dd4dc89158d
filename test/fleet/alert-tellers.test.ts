import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { Alerts } from "../../sidecar/src/alerts/alerts.ts";
import type { Condition, Reading } from "../../sidecar/src/alerts/condition.ts";
import type { Channel, Notice } from "../../sidecar/src/alerts/notice.ts";
import { sightingOf, withSightings } from "../../sidecar/src/alerts/sightings.ts";
import { FigureRecorder } from "../../sidecar/src/figures/recorder.ts";
import { readSeries } from "../../sidecar/src/figures/series.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { ANNA, messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { rooms } from "./rooms.ts";

// What one sidecar tells of its accounts, of all and of its machine, and what it counts of them, is the same in both rooms.

const MINUTE_MS = 60_000;
const log = openLog("info", { write() {} });

const condition = (kind: Condition["kind"], more: Partial<Condition> = {}): Condition => ({
  ...{ kind, subject: "", account: null, text: `${kind}.`, details: {}, afterMs: 0, amount: 0, ...more },
});
const ofAccount = (account: string) => condition("message_waits", { subject: account, account });
const reading = (...conditions: Condition[]): Reading => ({
  ...{ conditions, unknown: new Set() },
  accounts: new Map(["", "default", "shop", "outlet"].map((account) => [account, new Set()])),
});

describe.each(rooms())("in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext) {
    const clock = new SimulatedClock();
    const it = await room.open(test, clock);
    const told: Notice[] = [];
    let isAway = false;
    let [held, tries] = [Promise.resolve(), 0];
    const channel: Channel = {
      name: "ALERT_COMMAND",
      async send(notice) {
        tries += 1;
        await held;
        if (isAway) return { ok: false, passes: true, why: "it is away" };
        told.push(notice);
        return { ok: true };
      },
      close: async () => {},
    };
    const begin = async () => {
      const { store } = it;
      const begun = new Alerts({
        ...{
          store,
          channels: [channel],
          limits: { repeatMs: 0, calmMs: MINUTE_MS },
          instance: null,
          clock,
          timers: clock,
        },
        ...{ provenNow: () => store.provenNow(), log, random: () => 1 },
      });
      await begun.start();
      return begun;
    };
    let alerts = await begin();
    return {
      ...{ it, clock, told },
      get alerts() {
        return alerts;
      },
      away(is: boolean) {
        isAway = is;
      },
      /** The way takes its time, until this resolves. */
      hold(until: Promise<void>) {
        held = until;
      },
      /** Notices that were given to the way, again or not. */
      get tries() {
        return tries;
      },
      async restart() {
        await alerts.close();
        await it.reopen();
        alerts = await begin();
      },
      tells: (count: number) => until(`${count} are told`, () => told.length === count),
      async [Symbol.asyncDispose]() {
        await alerts.close();
        await it[Symbol.asyncDispose]();
      },
    };
  }

  it("an account's alerts, the fleet's and the machine's last over a restart, and each is told once, and once as over", async (test) => {
    await using at = await opened(test);
    const all = [ofAccount("shop"), ofAccount("default"), condition("hot_bags"), condition("disk")];
    at.alerts.see(reading(...all));
    await at.tells(4);
    await at.restart();
    at.alerts.see(reading(...all));
    expect(at.alerts.open).toHaveLength(4);
    at.alerts.see(reading());
    at.clock.advance(2 * MINUTE_MS);
    at.alerts.see(reading());
    await at.tells(8);
    expect(at.alerts.open).toEqual([]);
    const ids = (state: string) => at.told.filter((one) => one.state === state).map(({ id }) => id);
    expect(ids("over").sort()).toEqual(ids("started").sort());
    // Whoever looks sees all of them, in whichever place they are.
    const { store } = at.it;
    const [fleets, machines] = [store.alertsOf("fleet"), store.alertsOf("machine")];
    const places = new Set([
      fleets,
      machines,
      store.alertsOf({ account: "shop" }),
      store.alertsOf({ account: "default" }),
    ]);
    const past = await Promise.all([...places].map((place) => place.past(9)));
    expect(
      past
        .flat()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(ids("over").sort());
  });

  it("what waits for a way goes it after a restart, whoever it is of", async (test) => {
    await using at = await opened(test);
    at.away(true);
    at.alerts.see(reading(ofAccount("shop"), condition("hot_bags"), condition("disk")));
    await until("an attempt has failed", () => at.alerts.channels[0]?.waiting === 3);
    expect(await at.alerts.happened({ ...condition("downtime"), id: "downtime-1", account: "default" })).toBe(true);
    at.away(false);
    await at.restart();
    await at.tells(4);
    expect(at.told.map(({ kind }) => kind).sort()).toEqual(["disk", "downtime", "hot_bags", "message_waits"]);
  });

  // There one tells of all, and no account is ever given back.
  if (room.name !== "SQLite")
    it("an account that is given back has nothing under way any more, and whoever comes next goes on with what waits", async (test) => {
      await using at = await opened(test);
      const noticesOf = (account: string) => at.it.store.alertsOf({ account }).notices();
      const answered = Promise.withResolvers<void>();
      at.hold(answered.promise);
      at.alerts.see(reading(ofAccount("shop")));
      await until("its notice is under way", () => at.tries === 1);
      const left = { isOver: false };
      const leaving = at.alerts.leave("shop").then(() => {
        left.isOver = true;
      });
      await noticesOf("shop");
      expect([left.isOver, at.told]).toEqual([false, []]);
      answered.resolve();
      await leaving;
      expect([at.told.map(({ kind }) => kind), await noticesOf("shop")]).toEqual([["message_waits"], []]);

      at.away(true);
      expect(await at.alerts.happened({ ...condition("downtime"), id: "downtime-1", account: "outlet" })).toBe(true);
      await until("it was tried in vain", () => at.tries === 2);
      await at.alerts.leave("outlet");
      expect([at.alerts.channels[0]?.waiting, await noticesOf("outlet")]).toMatchObject([0, [{ number: 1 }]]);
      at.away(false);
      await at.alerts.takeUp("outlet");
      at.clock.advance(MINUTE_MS);
      await at.tells(2);
      expect(at.told.at(-1)).toMatchObject({ kind: "downtime", id: "downtime-1" });
    });

  it("figures of several accounts are those of each, added up", async (test) => {
    await using at = await opened(test);
    const { store } = at.it;
    const figures = new FigureRecorder({ store, clock: at.clock, timers: at.clock, log });
    figures.start();
    const accept = async (id: string, account: string) => {
      await store.messages.accept(messageOf(id, ANNA, { account_id: account }));
      figures.waits(1, account);
      figures.took("capture", 100, account);
    };
    await accept("a1", "shop");
    await accept("a2", "outlet");
    await accept("a3", "outlet");
    figures.failed("timeout", "outlet");
    const all = { messages_in: 3, waiting: 3, failures: { timeout: 1 } };
    const range = async (running: boolean) =>
      readSeries(store.allFigures, "hour", at.clock.now(), running ? await figures.running() : null);
    expect((await range(true)).total).toMatchObject(all);
    await figures.stop();
    expect((await range(false)).total).toMatchObject(all);
  });
});

describe("what is common to all sidecars", () => {
  const none = reading();
  const failing = reading(
    condition("hot_bags", { subject: "backend", text: "It fails, says the other one." }),
    ofAccount("shop"),
  );

  it("is so while any of them says so, and in the words of the one that tells where it sees it itself", () => {
    const { conditions } = withSightings(none, [sightingOf(failing), sightingOf(failing)]);
    expect(conditions).toEqual([condition("hot_bags", { subject: "backend", text: "It fails, says the other one." })]);
    const own = condition("hot_bags", { subject: "backend", text: "It fails." });
    expect(withSightings(reading(own), [sightingOf(failing)]).conditions).toEqual([own]);
  });

  it("is unknown while none can say anything of it", () => {
    const unknown: Reading = { ...none, unknown: new Set(["hot_bags", "disk"]) };
    expect([...withSightings(unknown, [sightingOf(unknown)]).unknown].sort()).toEqual(["disk", "hot_bags"]);
    expect([...withSightings(unknown, [sightingOf(none)]).unknown]).toEqual(["disk"]);
  });

  it("is not said by what can't be understood", () => {
    const strange = ["", "{}", "null", '{"conditions":[{"kind":"disk"},{"kind":"of a later release"},7],"known":[]}'];
    expect(withSightings(none, strange)).toEqual(none);
  });
});
