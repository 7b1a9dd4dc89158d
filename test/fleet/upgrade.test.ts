import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrations } from "../../sidecar/src/store/postgres/migrations/index.ts";
import { ANNA, BEN } from "../sidecar/message.ts";
import { expectEachOnce, openShop, underWay } from "./bridge-shop.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// Two releases on one database, with the real relay and replies in processes of their own: the newer one starts beside the
// older one, which is in the midst of its work.

const RELEASE = migrations.length;
/** The older release can go on with it: what it does not know of has a value. */
const ADDS = "ALTER TABLE messages ADD COLUMN made_up text NOT NULL DEFAULT ''";
/** It can't go on with that, says whoever takes it away. */
const TAKES_AWAY = { sql: "ALTER TABLE messages DROP COLUMN made_up", oldest: RELEASE + 1 };
const EX_CONFIG = 78;

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

describe("a newer release that starts beside an older one", { timeout: 240_000 }, () => {
  it("and only adds to the tables: the older one goes on, also when it starts anew, and they take over from each other", async (test) => {
    await using shop = await openShop(running(test, databases));
    const older = shop.sidecar("older");
    await older.owns();
    await older.accepts("a1", ANNA);
    const newer = shop.sidecar("newer", { newer: [ADDS] });
    await newer.isUp();
    await older.accepts("a2", ANNA);
    await shop.settles("sent", "sent");
    await older.kill();
    await newer.owns();
    await newer.accepts("a3", ANNA);
    await newer.accepts("b1", BEN);
    await shop.settles("sent", "sent", "sent", "sent");
    const again = shop.sidecar("older, anew");
    await again.isUp();
    await newer.kill();
    await again.owns();
    await again.accepts("b2", BEN);
    await shop.settles("sent", "sent", "sent", "sent", "sent");
    expect([shop.acceptedOf(ANNA), shop.acceptedOf(BEN)]).toEqual([
      ["a1", "a2", "a3"],
      ["b1", "b2"],
    ]);
    expect([shop.sentTo(ANNA), shop.sentTo(BEN)]).toEqual([
      ["re-a1", "re-a2", "re-a3"],
      ["re-b1", "re-b2"],
    ]);
    expect(again.alarms).toEqual([]);
  });

  it("and takes away what the older one needs, which has a POST and a reply under way: that one ends by itself, and nothing is lost or twice", async (test) => {
    await using shop = await openShop(running(test, databases));
    shop.gateway.history = () => ["re-a1"];
    const work = underWay(shop);
    const older = shop.sidecar("older");
    await older.owns();
    await work.begins(older);
    const newer = shop.sidecar("newer", { newer: [ADDS, TAKES_AWAY] });
    await newer.isUp();
    expect(await older.hands("a2", ANNA)).toBe(false);
    // Neither is to be written down by whoever began it.
    await work.isAnswered();
    const [code, words] = await older.endsItself();
    expect([code, words]).toEqual([EX_CONFIG, expect.stringMatching(/newer release.*install that one/)]);
    await newer.owns();
    await newer.accepts("a2", ANNA);
    await newer.accepts("b2", BEN);
    await shop.settles("sent", "sent", "sent", "sent");
    expectEachOnce(shop);
    expect(shop.hotbags.violations).toEqual([]);
    // However often it is started.
    expect(await shop.sidecar("older, anew").endsItself()).toEqual([EX_CONFIG, words]);
  });

  it("and fails half way: the older one goes on, and the newer one says why", async (test) => {
    await using shop = await openShop(running(test, databases));
    const older = shop.sidecar("older");
    await older.owns();
    await older.accepts("a1", ANNA);
    const half = { sql: `${ADDS}; INSERT INTO counters VALUES ('shop', 'made up', 'no number')`, oldest: RELEASE + 1 };
    const newer = shop.sidecar("newer", { newer: [half] });
    const [code, words] = await newer.endsItself();
    expect([code, words]).toEqual([EX_CONFIG, expect.stringMatching(/no number/)]);
    await older.accepts("a2", ANNA);
    await shop.settles("sent", "sent");
    expect(older.alarms).toEqual([]);
    expect(shop.sentTo(ANNA)).toEqual(["re-a1", "re-a2"]);
  });
});
