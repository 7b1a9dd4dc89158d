import { afterAll, beforeAll, expect, it } from "vitest";
import { Failpoint } from "../crash/failpoint.ts";
import { SIDECAR_POINTS } from "../crash/points.ts";
import { expectInGuarantees, outcomeOfMessage, type Row } from "../crash/table.ts";
import { until } from "../until.ts";
import { openShop } from "./bridge-shop.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// The crash matrix of the embedded store, where the sidecar does not come back: it is killed exactly at a failpoint, and another
// one on the same store goes on. Each is killed in its turn.

/** The embedded store calls it by how the sending ended; here all that was sent is settled by one statement. */
const NAMES: Record<string, string> = {
  "sent:before-commit": "settled:before-commit",
  "sent:after-commit": "settled:after-commit",
};

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

it("a sidecar that is killed at any instant is gone on for: each message once at Hot Bags, each reply once on the phone", async (test) => {
  await using shop = await openShop(running(test, databases));
  const crash = new Failpoint();
  try {
    const rows: Row[] = [];
    let owner = shop.sidecar("0", { crash });
    await owner.owns();
    for (const [n, { point, meaning, fault, posts }] of SIDECAR_POINTS.entries()) {
      const next = shop.sidecar(String(n + 1), { crash });
      const [id, chat] = [`m${n}`, `+1555000200${String(n).padStart(2, "0")}`];
      if (fault) shop.hotbags.faultFor(({ message_id }) => message_id === id, { status: 503 });
      const at = NAMES[point] ?? point;
      crash.arm(at);
      owner.offers(id, chat);
      expect(await owner.ended(), at).toBe("SIGKILL");
      await shop.endLeases();
      await next.owns();
      // The plugin hands it in again where it was not acknowledged; where it was, that changes nothing.
      await next.accepts(id, chat);
      await until(`all is settled after ${at}`, async () => (await shop.unsettled()) === 0, 60_000);
      const seen = shop.hotbags.requests.filter(({ key }) => key === id);
      // The gateway knows a key that it was asked for before, and sends nothing again.
      const replies = new Set(shop.sentTo(chat)).size;
      const accepted = shop.acceptedOf(chat).length;
      rows.push({ point, meaning, outcome: outcomeOfMessage({ posts: seen.length, accepted, replies }) });
      expect(seen.length, at).toBe(posts);
      for (const { rawBody } of seen) expect(rawBody.equals(seen[0]?.rawBody ?? Buffer.alloc(0)), at).toBe(true);
      owner = next;
    }
    expect(shop.hotbags.violations).toEqual([]);
    await expectInGuarantees("PostgreSQL", rows);
  } finally {
    crash.remove();
  }
}, 300_000);
