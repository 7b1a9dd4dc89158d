import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANNA, BEN } from "../sidecar/message.ts";
import { ok, openShop } from "./bridge-shop.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// Two sidecars on one store, beside one gateway: whatever becomes of the one that works on the account, the other goes on where
// it was. Each message reaches Hot Bags once by its key and in its chat's order, and no reply goes out twice.

let databases: Databases | string;

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

describe("the sidecar that works on an account", { timeout: 240_000 }, () => {
  it("is killed while Hot Bags is down: another one delivers what waits, and sends the replies", async (test) => {
    await using shop = await openShop(running(test, databases));
    const first = shop.sidecar("first");
    await first.owns();
    await shop.hotbags.stop();
    for (const id of ["a1", "a2", "a3"]) await first.accepts(id, ANNA);
    for (const id of ["b1", "b2"]) await first.accepts(id, BEN);
    const second = shop.sidecar("second");
    await first.kill();
    await second.owns();
    await shop.hotbags.start();
    await shop.sends(5);
    await second.accepts("a4", ANNA);
    await shop.sends(6);
    expect(shop.acceptedOf(ANNA)).toEqual(["a1", "a2", "a3", "a4"]);
    expect(shop.acceptedOf(BEN)).toEqual(["b1", "b2"]);
    expect(shop.sentTo(ANNA)).toEqual(["re-a1", "re-a2", "re-a3", "re-a4"]);
    expect(shop.sentTo(BEN)).toEqual(["re-b1", "re-b2"]);
    expect(second.alarms).toEqual([]);
  });

  it("is killed while the gateway sends a reply: that is in doubt, goes out once, and what follows comes behind it", async (test) => {
    await using shop = await openShop(running(test, databases));
    shop.gateway.history = () => ["re-a1"];
    shop.gateway.send = () => "nothing";
    const first = shop.sidecar("first");
    await first.owns();
    await first.accepts("a1", ANNA);
    await shop.sends(1);
    const second = shop.sidecar("second");
    await first.kill();
    shop.gateway.send = ok;
    await second.owns();
    await second.accepts("a2", ANNA);
    await shop.sends(2);
    expect(shop.sentTo(ANNA)).toEqual(["re-a1", "re-a2"]);
    await shop.settles("sent", "sent");
  });

  it("is stopped and woken: it has let the account go, says nothing wrong, and takes it back when the other is gone", async (test) => {
    await using shop = await openShop(running(test, databases));
    const first = shop.sidecar("first");
    await first.owns();
    await first.accepts("a1", ANNA);
    await shop.settles("sent");
    const second = shop.sidecar("second");
    first.signal("SIGSTOP");
    await second.owns();
    await second.accepts("a2", ANNA);
    await shop.settles("sent", "sent");
    first.signal("SIGCONT");
    await first.lost();
    await second.accepts("a3", ANNA);
    await shop.settles("sent", "sent", "sent");
    await second.kill();
    await first.owns(2);
    await first.accepts("a4", ANNA);
    await shop.sends(4);
    expect(shop.acceptedOf(ANNA)).toEqual(["a1", "a2", "a3", "a4"]);
    expect(shop.sentTo(ANNA)).toEqual(["re-a1", "re-a2", "re-a3", "re-a4"]);
    expect(first.alarms).toEqual([]);
  });
});
