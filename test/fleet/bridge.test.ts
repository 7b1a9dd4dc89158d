import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { bridgeEvent } from "../../shared/src/index.ts";
import { type AlertRecord, emptyTally, type NoticeRecord, type Tally } from "../../sidecar/src/store/index.ts";
import { messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { rooms } from "./rooms.ts";

// What is promised of what the bridge knows of itself, in both rooms of the store.

const HOUR_MS = 3_600_000;

const connection = {
  ...{ processId: "a", startedAt: 1, connectedAt: 2, lastInboundAt: null },
  ...{ state: "up" as const, aliveAt: 3.4, aliveUptimeMs: 1.5 },
};
const downtime = (to: number) => ({ from: to % 2 ? null : to - 1, to, clockJumpMs: 0 });

const alertOf = (id: string, changes: Partial<AlertRecord> = {}): AlertRecord => ({
  ...{ id, kind: "disk", subject: "", text: "The disk fills up", details: '{"free":1}', since_at: 5, since: 5 },
  ...{ away_since: null, told_at: 5, told_amount: 0, returns: 0, is_reopened: 0, ended_at: null, ended: null },
  ...changes,
});
const over = (alert: AlertRecord, at: number): AlertRecord => ({ ...alert, away_since: at, ended_at: at, ended: at });
const notice = (channel: string, number: number): NoticeRecord => ({ channel, number, told_at: 7, notice: "{}" });

function tallyOf(messagesIn: number): Tally {
  return { ...emptyTally(), messagesIn };
}

describe.each(rooms())("of the bridge in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext) {
    const clock = new SimulatedClock();
    const it = await room.open(test, clock);
    await it.store.events.turn(true);
    return {
      it,
      clock,
      get store() {
        return it.store;
      },
      events: async () =>
        (await it.look<{ body: string }>("SELECT body FROM reports WHERE kind = 'event' ORDER BY id")).map(({ body }) =>
          bridgeEvent.parse(JSON.parse(body)),
        ),
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("connections are known over a restart, except for what means nothing to another process", async (test) => {
    await using at = await opened(test);
    await at.store.downtimes.record("default", { ...connection, state: "lost" }, null);
    await Promise.all([
      at.store.downtimes.record("default", connection, null),
      at.store.downtimes.record("shop", { ...connection, processId: null, state: "taken" }, downtime(7)),
    ]);
    await at.it.reopen();
    const known = { ...connection, aliveAt: 3, aliveUptimeMs: null };
    expect([...(await at.store.downtimes.connections())]).toEqual([
      ["default", known],
      ["shop", { ...known, processId: null, state: "taken" }],
    ]);
    expect((await at.store.look()).downtimes).toEqual([{ id: 1, accountId: "shop", ...downtime(7) }]);
  });

  it("the newest hundred downtimes are kept, no id is used twice, and none is forgotten that is to be told", async (test) => {
    await using at = await opened(test);
    for (let n = 1; n <= 110; n++) {
      await at.store.downtimes.record("default", connection, downtime(n));
      if (n !== 4) await at.store.downtimes.told(n);
    }
    const kept = await at.it.look<{ id: number }>("SELECT id FROM downtimes ORDER BY id DESC");
    expect(kept.map(({ id }) => id)).toEqual([...Array.from({ length: 100 }, (_, n) => 110 - n), 4]);
    expect(await at.store.downtimes.nextToTell()).toEqual({ id: 4, accountId: "default", ...downtime(4) });
    await at.store.downtimes.told(4);
    await at.store.downtimes.told(4);
    expect(await at.store.downtimes.nextToTell()).toBeNull();
  });

  it("alerts are as they were written last, the open ones by their age, the others newest first", async (test) => {
    await using at = await opened(test);
    const [a, b] = [alertOf("a", { since: 9 }), alertOf("b", { text: 'é \\ "', is_reopened: 1, away_since: 3 })];
    await at.store.alerts.write([a, b], []);
    await at.store.alerts.write([over(alertOf("c"), 10), over(alertOf("d"), 20)], []);
    await at.store.alerts.write([{ ...a, returns: 2, told_at: 30 }], []);
    await at.it.reopen();
    expect(await at.store.alerts.open()).toEqual([b, { ...a, returns: 2, told_at: 30 }]);
    expect((await at.store.alerts.past(10)).map(({ id }) => id)).toEqual(["d", "c"]);
    expect(await at.store.alerts.past(1)).toEqual([over(alertOf("d"), 20)]);
    await at.store.alerts.write([over({ ...a, returns: 2 }, 40)], []);
    expect((await at.store.alerts.open()).map(({ id }) => id)).toEqual(["b"]);
    expect((await at.store.alerts.past(10)).map(({ id }) => id)).toEqual(["a", "d", "c"]);
  });

  it("the last two hundred alerts that ended are kept", async (test) => {
    await using at = await opened(test);
    const ended = Array.from({ length: 210 }, (_, n) => over(alertOf(`a${n}`), n));
    await at.store.alerts.write([alertOf("open"), ...ended], []);
    const past = await at.store.alerts.past(1_000);
    expect([past.length, past[0]?.id, past.at(-1)?.id]).toEqual([200, "a209", "a10"]);
    expect(await at.store.alerts.open()).toHaveLength(1);
  });

  it("notices wait with their alert, in the order in which they were told, until each is done", async (test) => {
    await using at = await opened(test);
    await at.store.alerts.write([alertOf("a")], [notice("webhook", 2), notice("command", 2), notice("webhook", 1)]);
    await at.store.alerts.write([], [{ ...notice("webhook", 2), told_at: 9 }]);
    await at.it.reopen();
    const told = { ...notice("webhook", 2), told_at: 9 };
    expect(await at.store.alerts.notices()).toEqual([notice("command", 2), notice("webhook", 1), told]);
    await Promise.all([at.store.alerts.done("webhook", 1), at.store.alerts.done("webhook", 7)]);
    expect(await at.store.alerts.notices()).toEqual([notice("command", 2), told]);
  });

  it("events are told of downtimes, and of accounts that must be linked again: once each", async (test) => {
    await using at = await opened(test);
    const now = at.clock.now();
    await at.store.downtimes.record("default", connection, { from: now - 60_000, to: now, clockJumpMs: 0 });
    const alert = alertOf("a1", { kind: "logged_out", subject: "default", since_at: now });
    const ended = over(alert, now + 5_000);
    await at.store.alerts.write([alertOf("a0")], []);
    for (const one of [alert, { ...alert, told_at: 6 }, ended, ended, { ...alert, returns: 1 }])
      await at.store.alerts.write([one], []);
    const [from, to] = [new Date(now - 60_000).toISOString(), new Date(now).toISOString()];
    const session = { transport_session_id: "whatsapp:default" };
    const relink = { cause: "logged_out", from: to, ...session };
    expect(await at.events()).toMatchObject([
      { type: "downtime", from, to, cause: null, ...session },
      { ...relink, type: "relink_needed", to: null },
      { ...relink, type: "relinked", to: new Date(now + 5_000).toISOString() },
      { ...relink, type: "relink_needed", to: null },
    ]);
    expect(await at.store.counters()).toMatchObject({ events_waiting: 4, reports_waiting: 0 });
  });

  it("events have lanes of their own, and are dropped where nobody wants them, which no report is", async (test) => {
    await using at = await opened(test);
    const seen: number[][] = [];
    at.store.events.onNew((lanes) => seen.push(lanes));
    at.store.reports.onNew(() => expect.unreachable());
    await at.store.downtimes.record("default", connection, downtime(2));
    await at.store.alerts.write([alertOf("a1", { kind: "replaced", subject: "default" })], []);
    expect(seen).toEqual([[1], [2]]);
    expect(await at.store.events.lanes()).toHaveLength(2);
    expect([await at.store.reports.lanes(), await at.store.reports.headOf(1)]).toEqual([[], undefined]);
    const head = await at.store.events.headOf(1);
    expect(head).toMatchObject({ lane: 1, account_id: "default", attempts: 0 });
    await at.store.events.refused(head?.id ?? 0, 40);
    expect(await at.store.events.headOf(1)).toMatchObject({ attempts: 1, next_attempt_at: 40 });
    await at.store.events.delivered(head?.id ?? 0);
    at.clock.advance(HOUR_MS);
    expect((await at.store.look()).longestWaitMs.events).toBe(HOUR_MS);
    expect(await at.store.reports.turn(false)).toBe(0);
    expect(await at.store.events.turn(false)).toBe(1);
    expect(await at.store.counters()).toMatchObject({ events_waiting: 0, events_delivered: 1, events_dropped: 1 });
    await at.store.downtimes.record("default", connection, downtime(4));
    expect(await at.events()).toEqual([]);
  });

  it("figures are added to the minute and the hour that go on, and others are written over", async (test) => {
    await using at = await opened(test);
    const ins = async (step: 60 | 3_600, from: number, to: number) =>
      (await at.store.figures.between(step, from, to)).map((one) => [one.at, one.tally.messagesIn]).sort();
    await at.store.figures.add(7_200, tallyOf(1), null, null);
    await at.store.figures.add(7_230, tallyOf(2), 7_200, null);
    await at.store.figures.add(7_265, tallyOf(4), 7_230, null);
    expect(await ins(60, 0, 9_999)).toEqual([
      [7_200, 3],
      [7_260, 4],
    ]);
    expect(await ins(3_600, 7_200, 7_200)).toEqual([[7_200, 7]]);
    expect(await ins(3_600, 7_201, 9_999)).toEqual([]);
    // The same minute of another time: the clock was set back, and it begins anew.
    await at.store.figures.add(7_240, tallyOf(8), 7_310, 7_310);
    expect(await ins(60, 0, 9_999)).toEqual([[7_200, 8]]);
    expect(await ins(3_600, 0, 9_999)).toEqual([[7_200, 15]]);
    // Its place comes around after two days.
    await at.store.figures.add(7_200 + 2_880 * 60, tallyOf(16), 7_240, null);
    expect(await ins(60, 0, 9_999)).toEqual([]);
    await at.it.reopen();
    expect(await ins(3_600, 0, 9_999_999)).toEqual([
      [180_000, 16],
      [7_200, 15],
    ]);
  });

  it("all that somebody sees is of one instant", async (test) => {
    await using at = await opened(test);
    const nothing = await at.store.look();
    expect(nothing).toMatchObject({ lastAccepted: null, lastDeliveredAgoMs: null, doubtsLeft: 0, pausedChats: 0 });
    expect(nothing.longestWaitMs).toEqual({ messages: 0, replies: 0, reports: 0, events: 0 });
    const { seq } = await at.store.messages.accept(messageOf("A"));
    await at.store.messages.accept(messageOf("B", "+15550001002"));
    const command = { commandId: "c", type: "send_text", text: "Yes", payload: "c", refusal: null };
    await at.store.messages.delivered(seq, 200, "{}", [command]);
    await at.store.pauses.pause({ accountId: "shop", chatId: "+1" }, { forMs: HOUR_MS, replies: "hold" });
    await at.store.downtimes.record("default", connection, downtime(6));
    at.clock.advance(1_000);
    const { accounts, ...all } = await at.store.look();
    expect(all).toEqual({
      counters: await at.store.counters(),
      failures: await at.store.failures(),
      lastAccepted: { at: at.clock.now() - 1_000, agoMs: 1_000 },
      lastDeliveredAgoMs: 1_000,
      longestWaitMs: { messages: 1_000, replies: 1_000, reports: 0, events: 1_000 },
      ...{ doubtsLeft: 0, pausedChats: 1, outboundWaiting: 0 },
      downtimes: [{ id: 1, accountId: "default", ...downtime(6) }],
    });
    // And of each account apart, where the store counts them so; that without a name is the outbox's.
    if (accounts === null) return;
    expect(accounts.map(({ account }) => account).sort()).toEqual(["", "default", "outlet", "shop"]);
    expect(accounts.find(({ account }) => account === "default")).toEqual({
      ...{ account: "default", counters: all.counters, failures: all.failures },
      ...{ longestWaitMs: all.longestWaitMs, doubtsLeft: 0 },
    });
    expect(accounts.find(({ account }) => account === "shop")?.counters.accepted).toBe(0);
  });
});
