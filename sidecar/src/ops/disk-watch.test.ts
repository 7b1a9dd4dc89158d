import { pino } from "pino";
import { expect, it } from "vitest";
import type { Alert } from "./alert.ts";
import { DiskWatch } from "./disk-watch.ts";

const LOW = 1_000 * 1024 ** 2;

function watch(lowBytes = LOW) {
  const raised: Alert[] = [];
  const disk: { free: number | null } = { free: 10 * LOW };
  const parts = {
    folder: "/state",
    lowBytes,
    log: pino({ level: "silent" }),
    now: () => 7,
    freeBytes: async () => disk.free,
  };
  const watching = new DiskWatch({ ...parts, alerts: { raise: async (alert) => raised.push(alert) > 0 } });
  const at = async (free: number | null) => {
    disk.free = free;
    await watching.look();
    return { problem: watching.status.problem, alerts: raised.length };
  };
  return { at, raised, watching };
}

it("says once that the disk fills up, and again when it had room in between", async () => {
  const { at, raised } = watch();
  expect(await at(LOW)).toEqual({ problem: null, alerts: 0 });
  const problem = expect.stringMatching(/disk of \/state has \d+ MiB left\..*Make room/);
  expect(await at(LOW - 1)).toEqual({ problem, alerts: 1 });
  expect(await at(0)).toEqual({ problem: expect.stringContaining("has 0 MiB left"), alerts: 1 });
  expect(await at(LOW)).toEqual({ problem, alerts: 1 });
  expect(await at(2 * LOW)).toEqual({ problem: null, alerts: 1 });
  expect(await at(LOW / 2)).toEqual({ problem, alerts: 2 });
  expect(raised[0]).toMatchObject({
    kind: "disk",
    details: { folder: "/state", free_bytes: LOW - 1, low_disk_bytes: LOW },
  });
});

it("says nothing where nobody can say how much there is, or nobody wants to know", async () => {
  expect(await watch().at(null)).toEqual({ problem: null, alerts: 0 });
  expect(await watch(0).at(0)).toEqual({ problem: null, alerts: 0 });
});

it("looks at the real disk", async () => {
  const { log, alerts } = { log: pino({ level: "silent" }), alerts: { raise: async () => true } };
  const of = async (folder: string) => {
    const watching = new DiskWatch({ folder, lowBytes: LOW, log, alerts, now: () => 7 });
    await watching.look();
    return watching.status.freeBytes;
  };
  expect(await of("/")).toBeGreaterThan(0);
  expect(await of("/none/such")).toBeNull();
});
