import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { faultCode } from "../../sidecar/src/store/postgres/faults.ts";
import { ANNA, BEN } from "../sidecar/message.ts";
import { openShop } from "./bridge-shop.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// With the real relay and replies in a process of their own, and a disk that is really full.

/** A database has 10. */
const DISK_MB = 48;

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases([], { smallDiskMb: DISK_MB });
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

it("a full disk of the database: nothing is acknowledged, and all goes on when there is room", {
  timeout: 240_000,
}, async (test) => {
  await using shop = await openShop(running(test, databases));
  const sidecar = shop.sidecar("one");
  await sidecar.owns();
  await sidecar.accepts("a1", ANNA);
  await shop.settles("sent");
  const disk = await fill(shop.url);
  const long = randomBytes(100_000).toString("base64");
  expect(await sidecar.hands("a2", ANNA, long)).toBe(false);
  // There may be room for it in a page; but not for the next long one.
  expect(await sidecar.hands("b1", BEN)).toBe(false);
  expect(shop.hotbags.accepted.length).toBe(1);
  await disk.empty();
  await sidecar.accepts("a2", ANNA, long);
  await sidecar.accepts("b1", BEN);
  await sidecar.accepts("a3", ANNA);
  await shop.sends(4);
  await shop.settles("sent", "sent", "sent", "sent");
  expect([shop.acceptedOf(ANNA), shop.acceptedOf(BEN)]).toEqual([["a1", "a2", "a3"], ["b1"]]);
  expect([shop.sentTo(ANNA), shop.sentTo(BEN)]).toEqual([["re-a1", "re-a2", "re-a3"], ["re-b1"]]);
});

/** Fills the disk of a database, to its last page. */
async function fill(url: string) {
  const connection = new Connection({ url, connections: 1 });
  await connection.rows("CREATE TABLE filler (bytes bytea)");
  // Not compressed, or it would take as long as it is large.
  await connection.rows("ALTER TABLE filler ALTER bytes SET STORAGE external");
  for (const size of [1_000_000, 100_000, 10_000]) {
    const bytes = randomBytes(size);
    let failure: unknown = null;
    const insert = () => connection.rows("INSERT INTO filler VALUES ($1)", bytes);
    while (failure === null)
      failure = await insert().then(
        () => null,
        (error: unknown) => error,
      );
    expect(faultCode(failure)).toBe("53100");
  }
  return {
    async empty() {
      await connection.rows("DROP TABLE filler");
      await connection.close();
    },
  };
}
