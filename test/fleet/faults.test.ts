import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONNECTED } from "../gateway/scripted-gateway.ts";
import { ANNA, BEN } from "../sidecar/message.ts";
import { expectEachOnce, openShop, underWay } from "./bridge-shop.ts";
import { layCable } from "./cable.ts";
import { type Databases, running, startDatabases } from "./databases.ts";
import { replicate } from "./replicated.ts";

// What becomes of a shop when its database fails, with the real relay and replies in processes of their own.

const CARL = "+15550001003";

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

describe("the database", { timeout: 240_000 }, () => {
  it("is killed amid traffic, and started again: nothing is acknowledged or sent meanwhile, then all goes on", async (test) => {
    const here = running(test, databases);
    await using shop = await openShop(here);
    const work = underWay(shop);
    const sidecar = shop.sidecar("one");
    await sidecar.owns();
    await work.begins(sidecar);
    await here.postgres.crash();
    expect([await sidecar.hands("a2", ANNA), await sidecar.hands("b2", BEN)]).toEqual([false, false]);
    await work.isAnswered();
    expect([await sidecar.hands("a2", ANNA), await sidecar.hands("b2", BEN)]).toEqual([false, false]);
    expect([shop.gateway.sends.length, shop.hotbags.accepted.length]).toEqual([1, 2]);
    await here.postgres.start();
    await sidecar.accepts("a2", ANNA);
    await sidecar.accepts("b2", BEN);
    await shop.sends(4);
    await shop.settles("sent", "sent", "sent", "sent");
    expectEachOnce(shop);
    expect(shop.hotbags.violations).toEqual([]);
  });

  it("is cut off from the sidecar that has a POST and a reply under way: another one goes on, and the first sends nothing more", async (test) => {
    const here = running(test, databases);
    await using cable = await layCable(here.host);
    await using shop = await openShop(here);
    shop.gateway.history = () => ["re-a1"];
    const work = underWay(shop);
    const first = shop.sidecar("first", { its: cable.host });
    await first.owns();
    await work.begins(first);
    await first.accepts("a2", ANNA);
    await shop.settles("sending", "pending");
    cable.cut();
    const second = shop.sidecar("second");
    const late = first.hands("b2", BEN);
    await second.owns();
    await work.isAnswered();
    await shop.sends(3);
    await shop.settles("sent", "sent", "sent");
    expect(first.isAccepted("b2")).toBe(false);
    cable.mend();
    await first.lost();
    expect(await late).toBe(false);
    await second.accepts("b2", BEN);
    await shop.sends(4);
    await shop.settles("sent", "sent", "sent", "sent");
    expectEachOnce(shop);
  });
});

describe("a killed database whose replica takes its place", { timeout: 240_000 }, () => {
  it("has nothing lost that was acknowledged, and nothing twice, where the replica is synchronous", async (test) => {
    const here = running(test, databases);
    await using it = await replicate(here, "synchronous");
    await using shop = await openShop(here, { way: it.way });
    const work = underWay(shop);
    const sidecar = shop.sidecar("one");
    await sidecar.owns();
    await work.begins(sidecar);
    it.streamsNoMore();
    // It is written at the server that is killed, and nowhere else.
    const late = sidecar.hands("a2", ANNA);
    await it.waitsForReplica();
    expect(sidecar.isAccepted("a2")).toBe(false);
    await it.failsOver();
    await work.isAnswered();
    // What is acknowledged is there: the sidecar has found out that the new server lacks it, and has written it anew.
    if (!(await late)) await sidecar.accepts("a2", ANNA);
    await sidecar.accepts("b2", BEN);
    await shop.sends(4);
    await shop.settles("sent", "sent", "sent", "sent");
    expectEachOnce(shop);
    expect(shop.hotbags.violations).toEqual([]);
  });

  it("has lost what an asynchronous one had not got yet: an acknowledged message is gone, and a reply is sent again", async (test) => {
    const here = running(test, databases);
    await using it = await replicate(here, "asynchronous");
    await using shop = await openShop(here, { way: it.way });
    const sidecar = shop.sidecar("one");
    await sidecar.owns();
    // Anna's reply waits for WhatsApp when the replica hears of it for the last time.
    shop.gateway.accounts = [{ ...CONNECTED, connected: false }];
    await shop.looks();
    await sidecar.accepts("a1", ANNA);
    await shop.settles("pending");
    await it.replicaHas(shop.url, "SELECT 1 FROM commands");
    it.streamsNoMore();
    shop.gateway.accounts = [CONNECTED];
    await shop.settles("sent");
    // Ben's is at Hot Bags and answered. Carl's is acknowledged only.
    await sidecar.accepts("b1", BEN);
    await shop.settles("sent", "sent");
    await shop.hotbags.stop();
    await sidecar.accepts("c1", CARL);
    await it.failsOver();
    await shop.hotbags.start();
    for (const [id, chat] of [
      ["a2", ANNA],
      ["b2", BEN],
      ["c2", CARL],
    ] as const)
      await sidecar.accepts(id, chat);
    await shop.sends(6);
    await shop.settles("sent", "sent", "sent", "sent");
    // By its key: OpenClaw's gateway remembers that for 300 s, and would send it again after that, or as another process.
    expect(shop.sentTo(ANNA)).toEqual(["re-a1", "re-a1", "re-a2"]);
    expect(shop.sentTo(BEN)).toEqual(["re-b1", "re-b2"]);
    expect(shop.acceptedOf(CARL)).toEqual(["c2"]);
  });
});
