import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import WebSocket from "ws";
import { GATEWAY_TOKEN, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { startHotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";

// The real sidecar as a process, between stand-ins for the plugin, Hot Bags and the gateway.

const BRIDGE_TOKEN = "bridge-token-of-the-operator-test";

it("a gateway that lets no reply out makes /health red, which says what to do, until it does", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-operator-"));
  const peer = await new ScriptedGateway().start();
  const hotbags = await startHotBags({ token: "bearer" });
  hotbags.answers(() => [{ command_id: "c1", type: "send_text", text: "yes" }]);
  const port = await freePort();
  const sidecar = new SidecarProcess({
    HOTBAGS_BASE_URL: hotbags.url,
    HOTBAGS_BEARER_TOKEN: "bearer",
    OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${peer.port}`,
    OPENCLAW_GATEWAY_TOKEN: GATEWAY_TOKEN,
    BRIDGE_LISTEN: `127.0.0.1:${port}`,
    BRIDGE_TOKEN,
    BRIDGE_STATE_DIR: dir,
  });
  onTestFinished(async () => {
    await sidecar.kill();
    await hotbags.close();
    await peer.stop();
    rmSync(dir, { recursive: true });
  });
  await sidecar.start();
  const problems = async () => {
    const health = (await (await fetch(`http://127.0.0.1:${port}/health`)).json()) as { problems: string[] };
    return health.problems.filter((problem) => problem.includes("OPENCLAW_GATEWAY_TOKEN"));
  };

  peer.send = () => ({ ok: false, error: { code: "FORBIDDEN", message: "missing scope: operator.write" } });
  const plugin = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { authorization: `Bearer ${BRIDGE_TOKEN}` } });
  await once(plugin, "open");
  const message = {
    account_id: "default",
    message_id: "M1",
    chat_id: "+15550001001",
    from: "+15550001001",
    text: "two left?",
    media: [],
    timestamp: "2026-03-01T12:00:00.000Z",
    raw: {},
  };
  plugin.send(JSON.stringify({ v: 1, type: "hello", plugin_version: "0.1.0", openclaw_version: "2026.9.6" }));
  plugin.send(JSON.stringify({ v: 1, type: "message", ref: 1, message }));
  await until("the problem is in /health", async () => (await problems()).length === 1);
  expect(JSON.stringify(await problems())).not.toContain("5550001");
  const alarms = () => sidecar.lines.filter(({ alarm, msg }) => alarm === true && msg?.includes("TOKEN"));
  await until("the alarm is in the log", () => alarms().length === 1);

  peer.send = () => ({ ok: true, payload: { messageId: "WA1" } });
  await peer.restartAs("boot-2");
  await until("it has passed", async () => (await problems()).length === 0, 20_000);
  expect(peer.sends.at(-1)?.idempotencyKey).toBe("c1");
  expect(alarms()).toHaveLength(1);
  plugin.terminate();
});
