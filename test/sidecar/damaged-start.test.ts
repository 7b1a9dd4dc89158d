import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { until } from "../until.ts";
import { BuiltSidecar } from "./built-sidecar.ts";
import { damage } from "./damage.ts";
import { ANNA, BEN, messageOf } from "./message.ts";

// The real sidecar on a database that has a page that can't be read.

let sidecar: BuiltSidecar;

beforeEach(async () => {
  sidecar = await BuiltSidecar.prepare({ env: { BRIDGE_KEEP_TEXTS_DAYS: "1" } });
});
afterEach(() => sidecar.close());

const DAY_MS = 24 * 3_600_000;

/** A day with some messages, 100 days ago, then some of today that wait; a downtime; and the account's last connection. */
async function live() {
  let now = Date.now() - 100 * DAY_MS;
  const store = openStore(sidecar.dir, { ...systemClock, now: () => now });
  const accept = (id: string, chat = ANNA) => store.messages.accept(messageOf(id, chat));
  const command = { commandId: null, type: "dance", text: null, payload: "" };
  for (let n = 0; n < 50; n += 1) {
    const { seq } = await accept(`old-${n}`);
    await store.messages.delivered(seq, 200, "{}", [{ ...command, refusal: { state: "skipped", reason: "" } }]);
  }
  now = Date.now();
  const seen = { processId: "boot-1", startedAt: now, connectedAt: now, lastInboundAt: null } as const;
  const connection = { ...seen, state: "up", aliveAt: now, aliveUptimeMs: null } as const;
  await store.downtimes.record("default", connection, { from: now - 1_000, to: now, clockJumpMs: 0 });
  await accept("waits", BEN);
  store.close();
}

it.each([
  ["connections", "the accounts' last connections"],
  ["downtimes", "the last downtimes"],
  ["messages_delivered", "the order in which messages are forgotten"],
  ["commands_pending", "the oldest reply that waits"],
  ["messages_pending", "the oldest message that waits"],
])("starts and answers when %s can't be read: %s", async (name) => {
  await live();
  damage(join(sidecar.dir, "bridge.sqlite"), name);
  await sidecar.process.start();
  const { status, body } = await sidecar.health();
  expect(status).toBe(503);
  expect(body.ok).toBe(false);
  expect(body.problems.length).toBeGreaterThan(0);
  expect(await sidecar.process.stop()).toBe(0);
});

it("says in /health that the state can't be read, and goes on answering", async () => {
  await live();
  damage(join(sidecar.dir, "bridge.sqlite"), "messages_pending");
  await sidecar.process.start();
  for (let n = 0; n < 3; n += 1)
    expect((await sidecar.health()).body.problems).toEqual([
      expect.stringMatching(/can't be read \(SQLITE_CORRUPT.*restore/),
    ]);
  const logged = () => sidecar.lines.filter(({ msg }) => msg === "/health can't be answered").length;
  await until("it is in the log", () => logged() > 0);
  // The log is read in its order: with what it says at its end, all that it said has come.
  await sidecar.process.stop();
  await until("it says so", () => sidecar.lines.some(({ msg }) => msg === "sidecar stopped"));
  expect(logged()).toBe(1);
});

it("refuses to work without its ledger, with what to do", async () => {
  await live();
  damage(join(sidecar.dir, "bridge.sqlite"), "counters");
  await expect(sidecar.process.start()).rejects.toThrow(/code 78.*damaged.*restore a backup/);
});
