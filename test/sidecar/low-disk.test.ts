import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../until.ts";
import { type AlertHook, startAlertHook } from "./alert-hook.ts";
import { BuiltSidecar } from "./built-sidecar.ts";

// The real sidecar on a disk that has less room than it should.

let hook: AlertHook;
let built: BuiltSidecar;

beforeEach(async () => {
  hook = await startAlertHook();
  built = await BuiltSidecar.prepare({ env: { ALERT_WEBHOOK_URL: hook.url } });
});
afterEach(async () => {
  await built.close();
  hook.close();
});

type Report = { problems: string[]; disk: { free_bytes: number | null; low_disk_bytes: number } };
const health = async () => (await built.health<Report>()).body;

const aboutDisk = async () => (await health()).problems.filter((problem) => problem.startsWith("The disk of "));

it("says so in an alert and in /health", async () => {
  built.process.configure({ BRIDGE_LOW_DISK_BYTES: String(1024 ** 4) });
  await built.process.start();
  const text = expect.stringMatching(new RegExp(`^The disk of ${built.dir} has [\\d.]+ [MG]iB left\\..*Make room`));
  await until("the alert has come", () => hook.alerts.length > 0);
  expect(hook.alerts).toEqual([expect.objectContaining({ alert: "disk", text })]);
  expect(await aboutDisk()).toEqual([text]);
});

it("says nothing while there is room, and shows how much", async () => {
  built.process.configure({ BRIDGE_LOW_DISK_BYTES: "1" });
  await built.process.start();
  await until("it has looked", async () => ((await health()).disk.free_bytes ?? 0) > 0);
  expect((await health()).disk.low_disk_bytes).toBe(1);
  expect(await aboutDisk()).toEqual([]);
});
