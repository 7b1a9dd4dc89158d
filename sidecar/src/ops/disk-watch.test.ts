import { pino } from "pino";
import { expect, it } from "vitest";
import { DiskWatch } from "./disk-watch.ts";

const LOW = 1_000 * 1024 ** 2;

function watch(lowBytes = LOW) {
  /** The problem after each change. */
  const changes: (string | null)[] = [];
  const disk: { free: number | null } = { free: 10 * LOW };
  const parts = {
    folder: "/state",
    lowBytes,
    log: pino({ level: "silent" }),
    freeBytes: async () => disk.free,
    onChange: () => void changes.push(watching.status.problem),
  };
  const watching: DiskWatch = new DiskWatch(parts);
  const at = async (free: number | null) => {
    disk.free = free;
    await watching.look();
    return { problem: watching.status.problem, changes: changes.length };
  };
  return { at, changes, watching };
}

it("says once that the disk fills up, and again when it had room in between", async () => {
  const { at, changes } = watch();
  expect(await at(LOW)).toEqual({ problem: null, changes: 0 });
  const problem = expect.stringMatching(/disk of \/state has [\d.]+ [MG]iB left\..*Make room/);
  expect(await at(LOW - 1)).toEqual({ problem, changes: 1 });
  expect(await at(0)).toEqual({ problem: expect.stringContaining("has 0 KiB left"), changes: 1 });
  expect(await at(LOW)).toEqual({ problem, changes: 1 });
  expect(await at(2 * LOW)).toEqual({ problem: null, changes: 2 });
  expect(await at(LOW / 2)).toEqual({ problem, changes: 3 });
  expect(changes).toEqual([problem, null, problem]);
});

it("says nothing where nobody can say how much there is, or nobody wants to know", async () => {
  expect(await watch().at(null)).toEqual({ problem: null, changes: 0 });
  expect(await watch(0).at(0)).toEqual({ problem: null, changes: 0 });
});

it("looks at the real disk", async () => {
  const log = pino({ level: "silent" });
  const of = async (folder: string) => {
    const watching = new DiskWatch({ folder, lowBytes: LOW, log, onChange: () => {} });
    await watching.look();
    return watching.status.freeBytes;
  };
  expect(await of("/")).toBeGreaterThan(0);
  expect(await of("/none/such")).toBeNull();
});
