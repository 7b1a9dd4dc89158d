import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";

// The real sidecar on a disk that has less room than it should.

let dir: string;
let port: number;
let hook: Server;
let alerts: Record<string, unknown>[];
let sidecar: SidecarProcess;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-low-disk-"));
  port = await freePort();
  alerts = [];
  hook = createServer(async (request, response) => {
    alerts.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
    response.end();
  }).listen(0, "127.0.0.1");
  await once(hook, "listening");
  const nowhere = await freePort();
  sidecar = new SidecarProcess({
    HOTBAGS_BASE_URL: `http://127.0.0.1:${nowhere}`,
    HOTBAGS_BEARER_TOKEN: "bearer",
    OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${nowhere}`,
    OPENCLAW_GATEWAY_TOKEN: "gateway",
    BRIDGE_LISTEN: `127.0.0.1:${port}`,
    BRIDGE_TOKEN: "bridge-token-of-the-test",
    BRIDGE_STATE_DIR: dir,
    ALERT_WEBHOOK_URL: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`,
  });
});
afterEach(async () => {
  await sidecar.stop();
  hook.close();
  hook.closeAllConnections();
  rmSync(dir, { recursive: true });
});

async function health() {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  return (await response.json()) as { problems: string[]; disk: { free_bytes: number | null; low_disk_bytes: number } };
}

const aboutDisk = async () => (await health()).problems.filter((problem) => problem.startsWith("The disk of "));

it("says so in an alert and in /health", async () => {
  sidecar.configure({ BRIDGE_LOW_DISK_BYTES: String(1024 ** 4) });
  await sidecar.start();
  const text = expect.stringMatching(/^The disk of .*hotbags-low-disk-.* has \d+ MiB left\..*Make room/);
  await until("the alert has come", () => alerts.length > 0);
  expect(alerts).toEqual([expect.objectContaining({ alert: "disk", text })]);
  expect(await aboutDisk()).toEqual([text]);
});

it("says nothing while there is room, and shows how much", async () => {
  sidecar.configure({ BRIDGE_LOW_DISK_BYTES: "1" });
  await sidecar.start();
  await until("it has looked", async () => ((await health()).disk.free_bytes ?? 0) > 0);
  expect((await health()).disk.low_disk_bytes).toBe(1);
  expect(await aboutDisk()).toEqual([]);
});
