import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { damage } from "./damage.ts";

// The real sidecar on a database that has a page that can't be read.

let dir: string;
let port: number;
let sidecar: SidecarProcess;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-damaged-"));
  port = await freePort();
  const nowhere = await freePort();
  sidecar = new SidecarProcess({
    HOTBAGS_BASE_URL: `http://127.0.0.1:${nowhere}`,
    HOTBAGS_BEARER_TOKEN: "bearer",
    OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${nowhere}`,
    OPENCLAW_GATEWAY_TOKEN: "gateway",
    BRIDGE_LISTEN: `127.0.0.1:${port}`,
    BRIDGE_TOKEN: "bridge-token-of-the-test",
    BRIDGE_STATE_DIR: dir,
    BRIDGE_KEEP_TEXTS_DAYS: "1",
  });
});
afterEach(async () => {
  await sidecar.stop();
  rmSync(dir, { recursive: true });
});

const DAY_MS = 24 * 3_600_000;

/** A day with some messages, 100 days ago, then some of today that wait; a downtime; and the account's last connection. */
async function live() {
  let now = Date.now() - 100 * DAY_MS;
  const store = openStore(dir, { now: () => now, uptimeMs: systemClock.uptimeMs });
  const accept = (id: string, chat: string) =>
    store.messages.accept({
      ...{ account_id: "default", message_id: id, chat_id: chat, from: chat, text: "hello", media: [], raw: {} },
      timestamp: "2026-03-01T12:00:00.000Z",
    });
  const command = { commandId: null, type: "dance", text: null, payload: "" };
  for (let n = 0; n < 50; n += 1) {
    const { seq } = await accept(`old-${n}`, "+15550001001");
    await store.messages.delivered(seq, 200, "{}", [{ ...command, refusal: { state: "skipped", reason: "" } }]);
  }
  now = Date.now();
  const seen = { processId: "boot-1", startedAt: now, connectedAt: now, lastInboundAt: null } as const;
  const connection = { ...seen, state: "up", aliveAt: now, aliveUptimeMs: null } as const;
  await store.downtimes.record("default", connection, { from: now - 1_000, to: now, clockJumpMs: 0 });
  await accept("waits", "+15550001002");
  store.close();
}

async function health() {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  return { status: response.status, body: (await response.json()) as { ok: boolean; problems: string[] } };
}

it.each([
  ["connections", "the accounts' last connections"],
  ["downtimes", "the last downtimes"],
  ["messages_delivered", "the order in which messages are forgotten"],
  ["commands_pending", "the oldest reply that waits"],
  ["messages_pending", "the oldest message that waits"],
])("starts and answers when %s can't be read: %s", async (name) => {
  await live();
  damage(join(dir, "bridge.sqlite"), name);
  await sidecar.start();
  const { status, body } = await health();
  expect(status).toBe(503);
  expect(body.ok).toBe(false);
  expect(body.problems.length).toBeGreaterThan(0);
  expect(await sidecar.stop()).toBe(0);
});

it("says in /health that the state can't be read, and goes on answering", async () => {
  await live();
  damage(join(dir, "bridge.sqlite"), "messages_pending");
  await sidecar.start();
  for (let n = 0; n < 3; n += 1)
    expect((await health()).body.problems).toEqual([expect.stringMatching(/can't be read \(SQLITE_CORRUPT.*restore/)]);
  expect(sidecar.lines.filter(({ msg }) => msg === "/health can't be answered")).toHaveLength(1);
});

it("refuses to work without its ledger, with what to do", async () => {
  await live();
  damage(join(dir, "bridge.sqlite"), "counters");
  await expect(sidecar.start()).rejects.toThrow(/code 78.*damaged.*restore a backup/);
});
