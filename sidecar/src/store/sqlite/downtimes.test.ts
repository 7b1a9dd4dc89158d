import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { flipFirstKey } from "../../../../test/sidecar/damage.ts";
import { systemClock } from "../../clock.ts";
import { openStore, type Store } from "../index.ts";

let dir: string;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-downtimes-"));
  store = openStore(dir, systemClock);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

const connection = {
  ...{ processId: "a", startedAt: 1, connectedAt: 2, lastInboundAt: null },
  ...{ state: "up" as const, aliveAt: 3, aliveUptimeMs: 1.5 },
};
const downtime = (to: number) => ({ from: to % 2 ? null : to - 1, to, clockJumpMs: 0 });

it("gives back over a restart what was recorded, except for what means nothing to another process", async () => {
  await store.downtimes.record("default", connection, null);
  await store.downtimes.record("second", { ...connection, processId: null, state: "taken" }, downtime(7));
  store.close();
  store = openStore(dir, systemClock);
  expect([...(await store.downtimes.connections())]).toEqual([
    ["default", { ...connection, aliveUptimeMs: null }],
    ["second", { ...connection, processId: null, state: "taken", aliveUptimeMs: null }],
  ]);
  expect((await store.look()).downtimes).toEqual([{ id: 1, accountId: "second", ...downtime(7) }]);
});

it("keeps the newest hundred, uses no id twice, and forgets none that is still to be told", async () => {
  for (let n = 1; n <= 150; n++) {
    await store.downtimes.record("default", connection, downtime(n));
    if (n !== 20) await store.downtimes.told(n);
  }
  const db = new Database(join(dir, "bridge.sqlite"), { readonly: true });
  const kept = db.prepare<[], number>("SELECT id FROM downtimes ORDER BY id DESC").pluck().all();
  db.close();
  expect(kept).toEqual([...Array.from({ length: 100 }, (_, n) => 150 - n), 20]);
  expect(await store.downtimes.nextToTell()).toMatchObject({ id: 20, to: 20 });
});

it("rejects where a downtime is found to be told, but not to be marked: it would be told for ever", async () => {
  for (const to of [1, 2, 3]) await store.downtimes.record("default", connection, downtime(to));
  store.close();
  flipFirstKey(join(dir, "bridge.sqlite"), "downtimes");
  store = openStore(dir, systemClock);
  const id = (await store.downtimes.nextToTell())?.id ?? 0;
  expect(id).toBe(9);
  await expect(store.downtimes.told(id)).rejects.toThrow(/contradicts/);
});
