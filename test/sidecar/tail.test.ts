import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { operatorSocketOf } from "../../sidecar/src/operator/server.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";

// `hotbags tail` beside the built sidecar.

vi.setConfig({ testTimeout: 60_000 });

const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));

let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: BuiltSidecar;
const children: ChildProcess[] = [];

beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id: id }) => [{ command_id: `to ${id}`, type: "send_text", text: `the secret of ${id}` }]);
  gateway = await new ScriptedGateway().start();
  sidecar = await BuiltSidecar.start({ hotbags, gateway });
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
});

/** Runs `hotbags tail`, and resolves when it listens. */
async function tail(...args: string[]) {
  const child = spawn(process.execPath, [CLI, "tail", "--state-dir", sidecar.dir, ...args]);
  children.push(child);
  const said = { out: "", err: "" };
  child.stdout.on("data", (text) => {
    said.out += text;
  });
  child.stderr.on("data", (text) => {
    said.err += text;
  });
  await until("it listens", () => said.err.includes("What happens from now on"));
  return { child, said };
}

it("shows what happens, masked, follows a sidecar that is started again, and ends when it is told to", async () => {
  const all = await tail();
  const ben = await tail("--json", "--chat", BEN);
  const plugin = await sidecar.connect();
  await plugin.handIn(messageOf("A", ANNA));
  await plugin.handIn(messageOf("B", BEN));
  await until("both are answered", () => all.said.out.match(/ sent /g)?.length === 2);
  const lines = all.said.out.split("\n").filter((line) => line.includes("+1555…01"));
  expect(lines.map((line) => line.replace(/^\S+ \S+ +/, "").replace(/ +/g, " "))).toEqual([
    "accepted +1555…01 message 1 (A)",
    "delivered +1555…01 message 1 (A)",
    // Never pending: it is handed over in the commit that records it.
    expect.stringMatching(/^sending \+1555…01 command \d \(to A\)$/),
    expect.stringMatching(/^sent \+1555…01 command \d \(to A\)$/),
  ]);
  const events = () =>
    ben.said.out
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await until("it has all of Ben's", () => events().length === 4);
  expect(events()[0]).toMatchObject({ kind: "message", id: 2, what: "accepted", message_id: "B", chat: "+1555…02" });
  for (const secret of ["the secret of", ANNA, BEN]) expect(all.said.out + ben.said.out).not.toContain(secret);

  await sidecar.process.kill();
  await until("it says so", () => all.said.err.includes("The sidecar has ended"));
  await sidecar.process.start();
  await until("it says so", () => all.said.err.includes("The sidecar is back"));
  await (await sidecar.connect()).handIn(messageOf("C", ANNA));
  await until("it goes on", () => all.said.out.includes("(C)"));
  all.child.kill("SIGINT");
  expect(await once(all.child, "close")).toEqual([0, null]);
});

it("does not keep the sidecar from ending, when the reader reads nothing", async () => {
  const call = request({ socketPath: operatorSocketOf(sidecar.dir), path: "/api/v1/events" }).end();
  const [response] = await once(call, "response");
  response.pause();
  const plugin = await sidecar.connect();
  for (let n = 0; n < 20; n += 1) await plugin.handIn(messageOf(`M${n}`, ANNA));
  const stopped = sidecar.process.stop();
  expect(await stopped).toBe(0);
  expect(await runHotbags(sidecar.dir, "tail")).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("no sidecar"),
  });
  response.destroy();
});
