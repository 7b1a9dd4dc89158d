import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { type Databases, running, startDatabases } from "../../../../test/fleet/databases.ts";
import { messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { until } from "../../../../test/until.ts";
import { systemTimers, type Timers } from "../../clock.ts";
import { StoreUnusableError, StoreUnwritableError } from "../errors.ts";
import { emptyTally } from "../tally.ts";
import { Connection } from "./connection.ts";
import { openPostgresStore, type PostgresStore } from "./index.ts";
import { FencedOffError } from "./lease.ts";
import { migrations } from "./migrations/index.ts";

// What the embedded store has no like of: several sidecars on one database, and a server that is away. What both promise
// is in test/fleet/.

const TTL_MS = 3_600_000;
const GROUP = "120363000000000001@g.us";

let databases: Databases | string;
let stateDir: string;
beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "hotbags-fleet-"));
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  rmSync(stateDir, { recursive: true });
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

async function fleet(test: Pick<TestContext, "skip">) {
  const url = await running(test, databases).make();
  const connection = new Connection({ url, connections: 1 });
  const stores: PostgresStore[] = [];
  return {
    url,
    connection,
    async sidecar(
      owner: string,
      accounts: readonly string[],
      clock = new SimulatedClock(),
      ask = TTL_MS,
      timers: Timers = systemTimers,
    ) {
      const leaseMs = { ttl: TTL_MS, renew: TTL_MS, ask };
      const store = await openPostgresStore({ url, owner, accounts, clock, timers, stateDir, leaseMs });
      stores.push(store);
      const [owned, lost]: [string[], string[]] = [[], []];
      store.onOwned((account) => owned.push(account));
      store.onLost((account) => lost.push(account));
      return { store, clock, owned, lost };
    },
    isOver: () => connection.rows("UPDATE leases SET expires_at = clock_timestamp()"),
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await connection.rows("UPDATE schema_version SET version = $1, oldest = 1", migrations.length);
      await connection.close();
      running(test, databases).giveBack(url);
    },
  };
}

const ofShop = (id: string) => messageOf(id, "+15550001001", { account_id: "shop" });

describe("two sidecars", () => {
  it("own an account one after the other, and the first one is told", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", ["shop"]);
    const { seq, chat } = await first.store.messages.accept(ofShop("A"));
    await it.isOver();
    const second = await it.sidecar("second", ["shop"]);
    expect([first.owned, second.owned, first.lost]).toEqual([["shop"], ["shop"], []]);
    await expect(first.store.messages.delivered(seq, 200, "{}", [])).rejects.toThrow(FencedOffError);
    await expect(first.store.messages.accept(ofShop("B"))).rejects.toThrow(FencedOffError);
    expect(first.lost).toEqual(["shop"]);
    expect(await second.store.messages.laneHeads()).toEqual([{ chat, next_attempt_at: 0 }]);
    await second.store.messages.delivered(seq, 200, "{}", []);
    expect(await second.store.counters()).toMatchObject({ accepted: 1, delivered: 1, pending: 0 });
    expect(await second.store.owners()).toMatchObject([{ account_id: "shop", owner: "second", token: 2 }]);
  });

  it("take what another one gives back as it ends", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", ["shop"]);
    const second = await it.sidecar("second", ["shop"], undefined, 5);
    await expect(second.store.messages.accept(ofShop("A"))).rejects.toThrow(FencedOffError);
    expect(second.owned).toEqual([]);
    await first.store.close();
    await until("the second one owns the account", () => second.owned.length > 0);
    expect(await second.store.messages.accept(ofShop("A"))).toMatchObject({ duplicate: false });
  });

  it("do not send what they were stopped before, while another one may own the account", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", ["shop"]);
    const { seq, chat } = await first.store.messages.accept(ofShop("A"));
    const command = { commandId: "c", type: "send_text", text: "Yes", payload: "", refusal: null };
    await first.store.messages.delivered(seq, 200, "{}", [command]);
    const id = (await first.store.commands.nextOf(chat))?.id ?? 0;
    // Its lease has run out here, and nobody has taken it.
    first.clock.advance(TTL_MS);
    expect(await first.store.commands.sending(id, "boot")).toBeNull();
    expect((await first.store.commands.nextOf(chat))?.id).toBe(id);
    expect(await first.store.counters()).toMatchObject({ commands_pending: 1, commands_sending: 0 });
    // Somebody has.
    await it.isOver();
    const second = await it.sidecar("second", ["shop"]);
    await expect(first.store.commands.sending(id, "boot")).rejects.toThrow(FencedOffError);
    expect((await second.store.commands.nextOf(chat))?.id).toBe(id);
    // It is none of the first one's any more.
    expect(await first.store.commands.nextOf(chat)).toBeUndefined();
  });

  it("take over what they do not stand beside, to deliver it, and send nothing of it until they do", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", ["shop"]);
    const { seq, chat } = await first.store.messages.accept(ofShop("A"));
    const commands = ["c", "d", "e"].map((commandId) => {
      return { commandId, type: "send_text", text: "Yes", payload: "", refusal: null };
    });
    await first.store.messages.delivered(seq, 200, "{}", commands);
    const sent = (await first.store.commands.nextOf(chat))?.id ?? 0;
    await first.store.commands.sending(sent, "boot");
    await first.store.commands.settled(sent, "queued_by_gateway", { reason: null, whatsappMessageId: null });
    const cutOff = (await first.store.commands.nextOf(chat))?.id ?? 0;
    await first.store.commands.sending(cutOff, "boot");
    const id = (await first.store.commands.nextOf(chat))?.id ?? 0;
    await first.store.messages.accept(ofShop("B"));
    await it.isOver();
    const { store, owned } = await it.sidecar("second", []);
    const beside: string[] = [];
    store.onBeside((account) => beside.push(account));
    expect([owned, beside]).toEqual([["shop"], []]);
    const [head] = await store.messages.laneHeads();
    expect(head).toMatchObject({ chat });
    await store.messages.delivered((await store.messages.headOf(chat))?.seq ?? 0, 200, "{}", []);
    const { commands: theirs, handovers } = store;
    const nothing = async () => [
      ...(await theirs.waitingChats()),
      ...(await theirs.waitingChats("shop")),
      ...(await theirs.interrupted()),
      ...(await handovers.open(10)),
    ];
    expect([await nothing(), await theirs.nextOf(chat), await theirs.sending(id, "boot")]).toEqual([
      [],
      undefined,
      null,
    ]);
    expect(await store.counters()).toMatchObject({ commands_pending: 1, commands_sending: 1, delivered: 2 });
    // Its own gateway gets the account: what waits goes out, and what the owner before was sending is in doubt.
    store.want("shop", { beside: true });
    expect(beside).toEqual(["shop"]);
    expect(await theirs.waitingChats()).toEqual([chat]);
    expect([await theirs.interrupted(), await handovers.open(10)]).toEqual([[cutOff], [sent]]);
    expect(await theirs.sending(id, "boot")).toMatchObject({ gateway_process: "boot" });
  });

  it("take in a message of an account that another one has taken over when it comes again", async (test) => {
    await using it = await fleet(test);
    await it.sidecar("first", ["shop"]);
    await it.isOver();
    const timers = new SimulatedClock();
    const second = await it.sidecar("second", [], undefined, TTL_MS, timers);
    expect(second.owned).toEqual(["shop"]);
    const back = await it.sidecar("first, anew", []);
    await expect(back.store.messages.accept(ofShop("A"))).rejects.toThrow(FencedOffError);
    const wanted = async () => (await back.store.owners())[0]?.wanted_by;
    await until("it is asked for", async () => (await wanted()) === "first, anew");
    timers.advance(TTL_MS);
    await until("it is given back", () => second.lost.length > 0);
    // As the plugin does.
    const accept = () => back.store.messages.accept(ofShop("A")).catch(() => null);
    expect(await until("it is taken in", accept)).toMatchObject({ duplicate: false });
    expect(back.owned).toEqual(["shop"]);
    expect(await back.store.owners()).toMatchObject([
      { account_id: "shop", owner: "first, anew", is_beside: true, wanted_by: null },
    ]);
  });

  it("that get one message of a group at the same moment take it in once", async (test) => {
    await using it = await fleet(test);
    const [shop, outlet] = [await it.sidecar("first", ["shop"]), await it.sidecar("second", ["outlet"])];
    const ids = Array.from({ length: 40 }, (_, n) => `m${n}`);
    const take = ({ store }: typeof shop, account_id: string, order: readonly string[]) =>
      Promise.all(order.map((id) => store.messages.accept(messageOf(id, GROUP, { account_id }))));
    // In both directions: each holds what the other one waits for.
    const [one, other] = await Promise.all([take(shop, "shop", ids), take(outlet, "outlet", ids.toReversed())]);
    const taken = [...one, ...other].filter(({ duplicate }) => !duplicate);
    expect(taken).toHaveLength(ids.length);
    expect(taken.every(({ refusal }) => refusal === null)).toBe(true);
    const counts = [await shop.store.counters(), await outlet.store.counters()];
    expect(counts.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(ids.length);
  });

  it("tell once of what is the matter with all: the one that leads does, and of an account its owner", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", ["shop"]);
    const second = await it.sidecar("second", ["outlet"], undefined, 5);
    expect([first.store.leads, second.store.leads]).toEqual([true, false]);
    // Who leads has no account by that: a message that names none is nobody's.
    await expect(first.store.messages.accept(messageOf("A", undefined, { account_id: "" }))).rejects.toThrow(
      FencedOffError,
    );
    const alert = (id: string) => ({
      ...{ id, kind: "hot_bags", subject: "backend", text: "", details: "{}", since_at: 1, since: 1, away_since: null },
      ...{ told_at: 1, told_amount: 0, returns: 0, is_reopened: 0 as const, ended_at: null, ended: null },
    });
    const notice = { channel: "webhook", number: 1, told_at: 1, notice: "{}" };
    await first.store.alertsOf("fleet").write([alert("a")], [notice]);
    await expect(second.store.alertsOf("fleet").write([alert("b")], [notice])).rejects.toThrow(FencedOffError);
    await expect(second.store.alertsOf("fleet").done("webhook", 1)).rejects.toThrow(FencedOffError);
    await expect(second.store.alertsOf({ account: "shop" }).write([alert("b")], [])).rejects.toThrow(FencedOffError);
    await second.store.alertsOf({ account: "outlet" }).write([alert("b")], [notice]);
    expect(await second.store.alertsOf({ account: "outlet" }).open()).toEqual([alert("b")]);
    // Another one leads: it goes on with what was told.
    await first.store.close();
    await until("the second one leads", () => second.store.leads);
    const fleets = second.store.alertsOf("fleet");
    expect([await fleets.open(), await fleets.notices()]).toEqual([[alert("a")], [notice]]);
    // Whoever looks sees all of them.
    expect(await second.store.alerts.open()).toEqual([alert("a"), alert("b")]);
    await second.store.alertsOf("fleet").done("webhook", 1);
    expect(await second.store.alertsOf({ account: "outlet" }).notices()).toEqual([notice]);
    expect(second.owned).toEqual(["outlet"]);
  });

  it("let an operator repair at each what another one owns, and look at all of it", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", ["shop"]);
    const { store } = await it.sidecar("second", []);
    const dead = await first.store.messages.accept(ofShop("A"));
    await first.store.messages.dead(dead.seq, 400, "refused");
    const { seq } = await first.store.messages.accept(ofShop("B"));
    const command = { commandId: "c", type: "send_text", text: "Yes", payload: "", refusal: null };
    await first.store.messages.delivered(seq, 200, "{}", [command]);
    const id = (await first.store.commands.nextOf(dead.chat))?.id ?? 0;
    await first.store.commands.sending(id, "boot");
    await first.store.commands.settled(id, "in_doubt", { reason: "?", whatsappMessageId: null });
    expect((await store.operator.messages({}, null, 10)).rows).toHaveLength(2);
    expect(await store.operator.retry(dead.seq, "anna")).toEqual({ done: true, chat: dead.chat });
    expect(await store.operator.resolve(id, "resend", "anna")).toEqual({ done: true, chat: dead.chat });
    await store.operator.note({ who: "anna", action: "look", kind: "chat", subject: dead.chat, result: "done" });
    expect(await first.store.counters()).toMatchObject({
      dead: 0,
      pending: 1,
      commands_in_doubt: 0,
      commands_pending: 1,
    });
    expect(await first.store.messages.headOf(dead.chat)).toMatchObject({ message_id: "A" });
    expect(await first.store.operator.audit(null, 10)).toHaveLength(3);
    // It is the operator who may, and no lane.
    await expect(store.commands.sending(id, "boot")).rejects.toThrow(FencedOffError);
    const request = { number: "+15550001001", after: 0, left: 0, forgotten: 0, includingWaiting: true };
    expect(await store.operator.forget(request, "anna")).toMatchObject({ forgotten: 2, isNumberGone: true });
    // Who was there before knows as well whom that was.
    expect(await first.store.messages.accept(ofShop("A"))).toMatchObject({ duplicate: true, seq: dead.seq });
    expect(await first.store.counters()).toMatchObject({ discarded: 1, pending: 0, commands_failed: 1 });
  });

  it("let operators repair each other's at the same moment", async (test) => {
    await using it = await fleet(test);
    const [shop, outlet] = [await it.sidecar("first", ["shop"]), await it.sidecar("second", ["outlet"])];
    const deadLetters = async ({ store }: typeof shop, account_id: string) => {
      const ids = Array.from({ length: 10 }, (_, n) => `${account_id} ${n}`);
      const taken = await Promise.all(
        ids.map((id) => store.messages.accept(messageOf(id, "+15550001001", { account_id }))),
      );
      await Promise.all(taken.map(({ seq }) => store.messages.dead(seq, 400, "refused")));
      return taken.map(({ seq }) => seq);
    };
    const [ofShop, ofOutlet] = [await deadLetters(shop, "shop"), await deadLetters(outlet, "outlet")];
    const retry = ({ store }: typeof shop, seqs: readonly number[]) =>
      Promise.all(seqs.map((seq) => store.operator.retry(seq, "anna")));
    // Each has its own account's lease, and waits for the other's.
    const repaired = (await Promise.all([retry(shop, ofOutlet), retry(outlet, ofShop)])).flat();
    expect(repaired.every(({ done }) => done)).toBe(true);
    for (const { store } of [shop, outlet]) expect(await store.counters()).toMatchObject({ dead: 0, pending: 10 });
    expect([shop.store.outage, outlet.store.outage]).toEqual([null, null]);
  });

  it("share who may use the console, and a link is used once", async (test) => {
    await using it = await fleet(test);
    const [first, second] = [await it.sidecar("first", ["shop"]), await it.sidecar("second", ["outlet"])];
    const link = { token_sha256: Buffer.alloc(32, 1), user: "anna", role: "act" as const };
    await first.store.console.link(link, "root");
    const both = await Promise.all(
      [first, second].map(({ store }, n) => store.console.redeem(link, Buffer.alloc(32, n), null)),
    );
    expect(both.filter((session) => session !== null)).toHaveLength(1);
    const [session] = await second.store.console.sessions();
    expect(session).toMatchObject({ user: "anna" });
    await first.store.console.end(session?.id ?? 0, "root");
    expect(await second.store.console.sessions()).toEqual([]);
  });

  it("count what passes of their accounts, and each sees the sum of all", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", ["shop", "outlet"]);
    const second = await it.sidecar("second", ["else"]);
    const passed = (messagesIn: number) => ({ ...emptyTally(), messagesIn, waiting: messagesIn });
    for (const [account, messagesIn] of [
      ["shop", 1],
      ["outlet", 2],
    ] as const)
      await first.store.figuresOf(account).add(600, passed(messagesIn), null, null);
    await second.store.figuresOf("else").add(600, passed(4), null, null);
    await expect(second.store.figuresOf("shop").add(600, passed(4), null, null)).rejects.toThrow(FencedOffError);
    for (const { store } of [first, second])
      expect(await store.figures.between(60, 0, 600)).toEqual([{ at: 600, tally: passed(7) }]);
    expect(await first.store.figuresOf("outlet").between(60, 0, 600)).toEqual([{ at: 600, tally: passed(2) }]);
  });

  it("agree about the time, whatever their clocks say", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", ["shop"]);
    const wrong = new SimulatedClock();
    wrong.jump(40 * 365 * 24 * 3_600_000);
    const second = await it.sidecar("second", ["outlet"], wrong);
    // A simulated clock stands still: between them is what the machine needed to open the second one.
    const apart = second.store.provenNow() - first.store.provenNow();
    expect(apart).toBeGreaterThanOrEqual(0);
    expect(apart).toBeLessThan(3_600_000);
    first.clock.advance(24 * 3_600_000);
    await first.store.close();
    // It goes on where the first one was.
    const third = await it.sidecar("third", ["shop"]);
    expect(third.store.provenNow()).toBeGreaterThanOrEqual(first.store.provenNow());
  });

  it("write down every minute how late it is, for whoever comes after a crash", async (test) => {
    await using it = await fleet(test);
    const clock = new SimulatedClock();
    const { store } = await it.sidecar("first", ["shop"], clock, TTL_MS, clock);
    const began = store.provenNow();
    clock.advance(59_000);
    const written = async () =>
      (await it.connection.rows<{ at: number }>("SELECT proven_at AS at FROM proven_time"))[0]?.at;
    expect(await written()).toBe(began);
    clock.advance(1_000);
    await until("it is written down", async () => (await written()) === began + 60_000);
  });
});

describe("a server", () => {
  it("that is away is an outage, which ends by itself, and nothing that was acknowledged is lost", async (test) => {
    await using it = await fleet(test);
    const { server } = running(test, databases);
    const { store } = await it.sidecar("first", ["shop"]);
    const told: unknown[] = [];
    store.onOutage((outage) => told.push(outage));
    const { chat } = await store.messages.accept(ofShop("A"));
    const name = (await it.connection.rows<{ name: string }>("SELECT current_database() AS name"))[0]?.name;
    await server.rows(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await server.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    await expect(store.messages.accept(ofShop("B"))).rejects.toThrow(StoreUnwritableError);
    expect(store.outage).toMatchObject({ failure: expect.stringContaining("accept: ") });
    const read = await store.messages.headOf(chat).catch((error: unknown) => error);
    expect(read).toBeInstanceOf(Error);
    expect(store.check(read)).toBe(false);
    await server.rows(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await until("the outage is over", () => store.outage === null, 60_000);
    expect(told).toMatchObject([{ failure: expect.any(String) }, null]);
    expect((await store.messages.headOf(chat))?.message_id).toBe("A");
    expect(await store.messages.accept(ofShop("B"))).toMatchObject({ duplicate: false });
  });

  it("that can't be used is told with what to do", async (test) => {
    await using it = await fleet(test);
    const options = { owner: "", accounts: [], clock: new SimulatedClock(), stateDir };
    const away = openPostgresStore({ ...options, url: "postgres://postgres@127.0.0.1:1/x" });
    await expect(away).rejects.toMatchObject({ passes: true, message: expect.stringMatching(/ECONNREFUSED.*start/) });
    await it.connection.rows("UPDATE schema_version SET version = 99, oldest = 99");
    const newer = openPostgresStore({ ...options, url: it.url });
    await expect(newer).rejects.toThrow(StoreUnusableError);
    await expect(newer).rejects.toMatchObject({ passes: false, message: expect.stringContaining("install that one") });
  });
});
