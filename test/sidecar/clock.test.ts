import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { GATEWAY_TOKEN, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { openLink } from "./plugin-link.ts";

// The real sidecar on a machine whose clock was wrong for a while. What it forgets it forgets at its start, and once an hour.

const BRIDGE_TOKEN = "bridge-token-of-the-clock-test";
const ANNA = "+15550001001";
const YEAR_MS = 365.25 * 24 * 3_600_000;
const IN_1970 = String(-56 * YEAR_MS);
const IN_2036 = String(10 * YEAR_MS);

let dir: string;
let port: number;
let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: SidecarProcess;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-clock-"));
  port = await freePort();
  hotbags = await startHotBags({ token: "bearer" });
  hotbags.answers(() => [{ command_id: "c1", type: "send_text", text: "thank you" }]);
  gateway = await new ScriptedGateway().start();
  sidecar = new SidecarProcess({
    NODE_OPTIONS: `--import=${new URL("./wrong-clock.mjs", import.meta.url)}`,
    HOTBAGS_BASE_URL: hotbags.url,
    HOTBAGS_BEARER_TOKEN: "bearer",
    OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${gateway.port}`,
    OPENCLAW_GATEWAY_TOKEN: GATEWAY_TOKEN,
    BRIDGE_LISTEN: `127.0.0.1:${port}`,
    BRIDGE_TOKEN,
    BRIDGE_STATE_DIR: dir,
    BRIDGE_KEEP_TEXTS_DAYS: "2",
  });
});
afterEach(async () => {
  await sidecar.stop();
  await gateway.stop();
  await hotbags.close();
  rmSync(dir, { recursive: true });
});

async function health() {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  return (await response.json()) as { problems: string[]; commands: { sent: number } };
}

async function handIn() {
  const plugin = await openLink(port, BRIDGE_TOKEN);
  const answer = await plugin.handIn("A", ANNA);
  plugin.socket.terminate();
  return answer;
}

it.each([
  ["1970, and then right", IN_1970, "0"],
  ["right, and then 2036", "0", IN_2036],
])("a clock that was %s: a message of before is known, and answered once", async (_what, before, after) => {
  sidecar.configure({ HOTBAGS_TEST_CLOCK_MS: before });
  await sidecar.start();
  expect(await handIn()).toMatchObject({ type: "ack", duplicate: false });
  await until("it is answered", async () => (await health()).commands.sent === 1);
  await sidecar.stop();
  sidecar.configure({ HOTBAGS_TEST_CLOCK_MS: after });
  const said = sidecar.logs(({ msg }) => /clock went forward.*nothing is forgotten/.test(msg ?? ""));
  await sidecar.start();
  expect((await said).level).toBe("warn");
  // A second start looks for what is old again: nothing has become so by the first.
  await sidecar.restart();
  expect(await handIn()).toMatchObject({ type: "ack", duplicate: true });
  expect(hotbags.requests).toHaveLength(1);
  expect(gateway.asked.filter(({ method }) => method === "send")).toHaveLength(1);
});

it("says in /health that a clock of 1970 is wrong", async () => {
  const aboutClock = async () => (await health()).problems.filter((problem) => problem.includes("clock"));
  sidecar.configure({ HOTBAGS_TEST_CLOCK_MS: IN_1970 });
  await sidecar.start();
  expect(await aboutClock()).toEqual([expect.stringMatching(/clock says 19\d\d-.*is wrong.*timedatectl/)]);
  await sidecar.restart({ HOTBAGS_TEST_CLOCK_MS: "0" });
  expect(await aboutClock()).toEqual([]);
});
