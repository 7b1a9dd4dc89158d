import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { startAlertHook } from "./alert-hook.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";

// The real sidecar on a machine whose clock was wrong for a while. What it forgets it forgets at its start, and once an hour.

const YEAR_MS = 365.25 * 24 * 3_600_000;
const IN_1970 = String(-56 * YEAR_MS);
const IN_2036 = String(10 * YEAR_MS);

let hotbags: HotBags;
let gateway: ScriptedGateway;
let built: BuiltSidecar;

beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(() => [{ command_id: "c1", type: "send_text", text: "thank you" }]);
  gateway = await new ScriptedGateway().start();
  const NODE_OPTIONS = `--import=${new URL("./wrong-clock.mjs", import.meta.url)}`;
  built = await BuiltSidecar.prepare({ hotbags, gateway, env: { NODE_OPTIONS, BRIDGE_KEEP_TEXTS_DAYS: "2" } });
});
afterEach(async () => {
  await built.close();
  await gateway.stop();
  await hotbags.close();
});

const health = async () => (await built.health<{ problems: string[]; commands: { sent: number } }>()).body;

async function handIn() {
  const plugin = await built.connect();
  const answer = await plugin.handIn(messageOf("A"));
  plugin.socket.terminate();
  return answer;
}

it.each([
  ["1970, and then right", IN_1970, "0"],
  ["right, and then 2036", "0", IN_2036],
])("a clock that was %s: a message of before is known, and answered once", async (_what, before, after) => {
  built.process.configure({ HOTBAGS_TEST_CLOCK_MS: before });
  await built.process.start();
  expect(await handIn()).toMatchObject({ type: "ack", duplicate: false });
  await until("it is answered", async () => (await health()).commands.sent === 1);
  await built.process.stop();
  built.process.configure({ HOTBAGS_TEST_CLOCK_MS: after });
  const said = built.process.logs(({ msg }) => /clock went forward.*nothing is forgotten/.test(msg ?? ""));
  await built.process.start();
  expect((await said).level).toBe("warn");
  // A second start looks for what is old again: nothing has become so by the first.
  await built.process.restart();
  expect(await handIn()).toMatchObject({ type: "ack", duplicate: true });
  expect(hotbags.requests).toHaveLength(1);
  expect(gateway.asked.filter(({ method }) => method === "send")).toHaveLength(1);
});

it("says in /health and in an alert that a clock of 1970 is wrong, and when it is right again", async () => {
  const hook = await startAlertHook();
  onTestFinished(() => hook.close());
  const quick = `--import=${new URL("./quick-looks.mjs", import.meta.url)}`;
  built.process.configure({
    NODE_OPTIONS: `${built.env["NODE_OPTIONS"]} ${quick}`,
    ...{ ALERT_WEBHOOK_URL: hook.url, ALERT_DOWN_MINUTES: "0", ALERT_CALM_SECONDS: "0" },
  });
  const told = (state: string) =>
    until(`it is told as ${state}`, () =>
      hook.alerts.find((one) => one["alert"] === "clock" && one["state"] === state),
    );
  const aboutClock = async () => (await health()).problems.filter((problem) => problem.includes("clock"));
  built.process.configure({ HOTBAGS_TEST_CLOCK_MS: IN_1970 });
  await built.process.start();
  expect(await aboutClock()).toEqual([expect.stringMatching(/clock says 19\d\d-.*is wrong.*timedatectl/)]);
  expect(await told("started")).toMatchObject({ severity: "warning", text: expect.stringMatching(/timedatectl/) });
  await built.process.restart({ HOTBAGS_TEST_CLOCK_MS: "0" });
  expect(await aboutClock()).toEqual([]);
  expect(await told("over")).toMatchObject({ id: (await told("started"))["id"] });
});
