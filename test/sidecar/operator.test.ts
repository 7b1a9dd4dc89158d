import { expect, it, onTestFinished } from "vitest";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";

// The real sidecar as a process, between stand-ins for the plugin, Hot Bags and the gateway.

it("a gateway that lets no reply out makes /health red, which says what to do, until it does", async () => {
  const gateway = await new ScriptedGateway().start();
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(() => [{ command_id: "c1", type: "send_text", text: "yes" }]);
  const sidecar = await BuiltSidecar.start({ hotbags, gateway });
  onTestFinished(async () => {
    await sidecar.close();
    await hotbags.close();
    await gateway.stop();
  });
  const problems = async () => {
    const { body } = await sidecar.health();
    return body.problems.filter((problem) => problem.includes("OPENCLAW_GATEWAY_TOKEN"));
  };

  gateway.send = () => ({ ok: false, error: { code: "FORBIDDEN", message: "missing scope: operator.write" } });
  const plugin = await sidecar.connect();
  await plugin.handIn(messageOf("M1"));
  await until("the problem is in /health", async () => (await problems()).length === 1);
  expect(JSON.stringify(await problems())).not.toContain("5550001");
  const alarms = () => sidecar.lines.filter(({ alarm, msg }) => alarm === true && msg?.includes("TOKEN"));
  // Where it is noticed, and as an alert.
  await until("the alarm is in the log", () => alarms().length === 2);
  expect(alarms()).toContainEqual(expect.objectContaining({ alert: "replies_refused", alert_state: "started" }));

  gateway.send = () => ({ ok: true, payload: { messageId: "WA1" } });
  await gateway.restartAs("boot-2");
  await until("it has passed", async () => (await problems()).length === 0, 20_000);
  expect(gateway.sends.at(-1)?.idempotencyKey).toBe("c1");
  expect(alarms()).toHaveLength(2);
  plugin.socket.terminate();
});
