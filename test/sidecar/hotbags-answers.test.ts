import { once } from "node:events";
import { request } from "node:http";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { main } from "../../sidecar/src/cli/main.ts";
import { operatorSocketOf } from "../../sidecar/src/operator/server.ts";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";

// What scripts and shells get of the `hotbags` command, beside one built sidecar for all of these.

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const CARL = "+15550001003";

let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: BuiltSidecar;

beforeAll(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id: id }) => [{ command_id: `to ${id}`, type: "send_text", text: "hello" }]);
  gateway = await new ScriptedGateway().start();
  const env = { BRIDGE_CONSOLE: `127.0.0.1:${await freePort()}` };
  sidecar = await BuiltSidecar.start({ hotbags, gateway, env });
});
afterAll(async () => {
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
});

const run = (...args: string[]) => runHotbags(sidecar.dir, ...args);

/** As the command asks, without a process of its own. */
async function waitsFor(id: string): Promise<string | null | undefined> {
  const ask = async (path: string) => {
    const call = request({ socketPath: operatorSocketOf(sidecar.dir), path: `/api/v1${path}` }).end();
    return (await json((await once(call, "response"))[0])) as Record<string, unknown>;
  };
  const { commands } = await ask(`/commands?command_id=${encodeURIComponent(id)}`);
  const [found] = commands as { id: number }[];
  return found && ((await ask(`/commands/${found.id}`))["waits_for"] as string | null | undefined);
}

it("a reply that waits says for what", async () => {
  const plugin = await sidecar.connect();
  await run("chats", "pause", ANNA, "--for", "1h");
  await plugin.handIn(messageOf("A", ANNA));
  await until("it waits for the pause", async () => /paused for \d+ min more/.test((await waitsFor("to A")) ?? ""));
  expect((await run("commands", "show", "to A")).stdout).toMatch(/^waits for +its chat is paused for \d+ min more/m);
  gateway.send = () => ({ ok: false, error: { code: "UNAVAILABLE", message: "not now", retryable: true } });
  gateway.accounts = [{ ...CONNECTED, connected: false, healthState: "reconnecting" }];
  await until("WhatsApp is away", async () =>
    (await sidecar.health()).body.problems.join().includes("account default"),
  );
  await plugin.handIn(messageOf("B", BEN));
  await until("it waits for WhatsApp", async () => (await waitsFor("to B"))?.includes("not connected") ?? false);
  plugin.socket.terminate();
});

it("a script gets what is wrong as JSON, too", async () => {
  for (const args of [["messages", "show", "nobody"], ["massages"], ["commands", "resolve", "--sent"]]) {
    const { code, stdout, stderr } = await run(...args, "--json");
    const { error } = JSON.parse(stdout);
    expect({ code, stderr }).toEqual({ code: args[1] === "show" ? 1 : 2, stderr: `hotbags: ${error}\n` });
  }
});

it("a shell completes states, behind a comma as well", async () => {
  const complete = async (...words: string[]) =>
    (await run("--get-yargs-completions", "hotbags", ...words)).stdout.trim().split("\n");
  expect(await complete("messages", "list", "--state", "de")).toEqual(["detached", "delivered", "dead"]);
  expect(await complete("commands", "list", "--state", "sent,in")).toEqual(["sent,in_doubt"]);
  expect(await complete("mess")).toContain("messages");
  // Which would print what it can't read.
  expect(await main(["completion"], { SHELL: "/bin/tcsh" })).toBe(2);
});

it("the audit is asked from a time on", async () => {
  await run("chats", "pause", CARL);
  const [newest] = JSON.parse((await run("audit", "--since", "1h", "--json")).stdout);
  // Nothing has ever come from Carl, who has got a number here for that.
  expect(newest).toMatchObject({ kind: "chat", chat: "+1555…03" });
  expect(JSON.parse((await run("audit", "--since", "2037-01-01", "--json")).stdout)).toEqual([]);
});

it("paused chats are listed while the sidecar is stopped, too", async () => {
  await run("chats", "pause", CARL, "--for", "3h");
  await sidecar.process.stop();
  // The tests come in any order, and the others need it.
  onTestFinished(() => sidecar.process.start());
  const { code, stdout, stderr } = await run("chats", "list");
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("No sidecar runs") });
  expect(stdout).toMatch(/\+15550001003 .*operator/);
  expect(await run("chats", "resume", CARL)).toMatchObject({ code: 3 });
});

it("who has the store alone is told that there is no fleet", async () => {
  const { code, stdout, stderr } = await run("fleet");
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: expect.stringContaining("all accounts") });
  expect(JSON.parse((await run("fleet", "--json")).stdout)).toEqual({ shared: false, accounts: [] });
});

it("a link to the console lets one browser in, which is listed, and ended", async () => {
  const { stdout, stderr } = await run("console", "--role", "look", "--user", "anna");
  expect(stderr).toContain("ssh -L");
  const { origin, hash } = new URL(stdout.trim());
  const login = await fetch(`${origin}/api/session`, {
    method: "POST",
    headers: { origin, "x-hotbags-console": "1" },
    body: JSON.stringify({ token: hash.slice("#login=".length) }),
  });
  expect(await login.json()).toMatchObject({ user: "anna", role: "look" });
  expect((await run("doctor")).stdout).toContain(`it listens at ${origin}`);
  const [session] = JSON.parse((await run("console", "sessions", "--json")).stdout);
  expect(session).toMatchObject({ user: "anna", role: "look" });
  expect((await run("console", "sessions")).stdout).toMatch(/anna +look/);
  expect(await run("console", "end", String(session.id))).toMatchObject({ code: 0 });
  expect(await run("console", "end", String(session.id))).toMatchObject({ code: 1 });
  const cookie = login.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  expect((await fetch(`${origin}/api/session`, { headers: { cookie } })).status).toBe(401);
});

it("an option without its value is a wrong command line, in one sentence", async () => {
  const { code, stderr } = await run("status", "--env-file");
  expect({ code, lines: stderr.trimEnd().split("\n").length }).toEqual({ code: 2, lines: 1 });
  expect(stderr).toMatch(/^hotbags: .*env-file/);
});
