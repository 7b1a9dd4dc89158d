import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, statSync, symlinkSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { operatorSocketOf } from "../../sidecar/src/operator/server.ts";
import { openStore, type Store } from "../../sidecar/src/store/index.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { CLI, runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { damage } from "./damage.ts";
import { ANNA, BEN, messageOf } from "./message.ts";

// What an operator finds in the morning, and mends with the `hotbags` command: on the built sidecar, as they would.

// Each test starts a dozen processes: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 90_000 });

let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: BuiltSidecar;

beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  gateway = await new ScriptedGateway().start();
  gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
  sidecar = await BuiltSidecar.prepare({ hotbags, gateway });
});
afterEach(async () => {
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
});

/** What the night has left in the store. */
async function night(happened: (store: Store) => Promise<void>) {
  const store = openStore(sidecar.dir, systemClock);
  await happened(store);
  store.close();
}

const run = (...args: string[]) => runHotbags(sidecar.dir, ...args);

/** What it answers, which must be well. */
async function ask<Answer>(...args: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await run(...args, "--json");
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout);
}

interface Row {
  id: number;
  message_id: string;
  command_id: string | null;
  state: string;
}
const dead = () => ask<Row[]>("messages", "list", "--state", "dead");
const stateOf = async (id: string) => (await ask<Row>("messages", "show", id)).state;
/** By /health, since each look with the command is a process of its own. */
const delivered = (count: number) =>
  until(`${count} are delivered`, async () => {
    const { body } = await sidecar.health<{ messages: { delivered: number } }>();
    return body.messages.delivered === count;
  });
const counts = async () => (await sidecar.health<{ commands: { pending: number; sent: number } }>()).body.commands;
const received = () => hotbags.accepted.map(({ message_id }) => message_id);

/** Hot Bags had refused some: B after two attempts more, C and D at once. A was taken. */
async function badNight(store: Store) {
  const seq: Record<string, number> = {};
  for (const id of ["A", "B", "C"]) seq[id] = (await store.messages.accept(messageOf(id, ANNA))).seq;
  seq["D"] = (await store.messages.accept(messageOf("D", BEN, { text: "the secret of Ben" }))).seq;
  const seqOf = (id: string) => seq[id] ?? 0;
  await store.messages.delivered(seqOf("A"), 200, "{}", []);
  const attempt = { error: "Hot Bags answered 500", status: 500, durationMs: 1_234, nextAttemptAt: 0, waitMs: 60_000 };
  for (let n = 0; n < 2; n++) await store.messages.failed(seqOf("B"), { ...attempt, detach: false });
  for (const id of ["B", "C", "D"]) await store.messages.dead(seqOf(id), 422, "Hot Bags answered 422", 50);
}

describe("dead letters", () => {
  beforeEach(async () => {
    await night(badNight);
    await sidecar.process.start();
  });

  it("are found, explained, and sent again with their own keys, in their order", async () => {
    expect((await dead()).map(({ message_id }) => message_id)).toEqual(["D", "C", "B"]);
    expect(
      (await ask<Row[]>("messages", "list", "--state", "dead", "--chat", BEN)).map((row) => row.message_id),
    ).toEqual(["D"]);
    expect(await ask<Row[]>("messages", "list", "--state", "dead", "--since", "2037-01-01")).toEqual([]);
    const { stdout } = await run("messages", "show", "B");
    expect(stdout).toMatch(/state +dead/);
    expect(stdout).toContain("3 attempts failed");
    expect(stdout).toMatch(/1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +1 s +500 +Hot Bags answered 500/);
    expect(stdout).toMatch(/settled +[^\n]* in 50 ms, with 422/);

    const one = await run("messages", "retry", "C");
    expect(one).toMatchObject({ code: 0, stderr: "1 of 1 dead letter sent to Hot Bags again.\n" });
    await hotbags.receives("C");
    await delivered(2);
    expect(await stateOf("C")).toBe("delivered");

    const unasked = await run("messages", "retry", "--all-dead");
    expect(unasked.code).toBe(2);
    expect(unasked.stderr).toMatch(/2 messages will be POSTed[\s\S]*say --yes/);
    expect(received()).toEqual(["C"]);
    expect(await run("messages", "retry", "--dead-since", "1d", "--yes")).toMatchObject({ code: 0 });
    await Promise.all(["B", "the secret of Ben"].map((text) => hotbags.receives(text)));
    await delivered(4);
    expect(await dead()).toEqual([]);
    expect(await ask("messages", "show", "B")).toMatchObject({
      ...{ state: "delivered", attempts: 1, failed_count: 3 },
      retries: [{ who: expect.any(String) }],
    });
    const { stdout: life } = await run("messages", "show", "B");
    expect(life).toMatch(/sent again +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d by \S+/);
    expect(life).toContain("3 attempts failed, then it was delivered:");
    expect(life).toMatch(/^4 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d+ \w+ +200$/m);
    expect(hotbags.violations).toEqual([]);
    expect((await sidecar.health<{ messages: object }>()).body.messages).toMatchObject({ delivered: 4, dead: 0 });
    const audit = await ask<{ action: string; subject: number; who: string }[]>("audit");
    expect(audit.map(({ action, subject }) => `${action} ${subject}`)).toEqual(["retry 4", "retry 2", "retry 3"]);
  });

  it("are discarded with their texts, once somebody has said so; their keys stay", async () => {
    expect((await run("messages", "discard", "D")).code).toBe(2);
    expect(await run("messages", "discard", "D", "--yes")).toMatchObject({ code: 0 });
    expect(await stateOf("D")).toBe("discarded");
    expect(await run("messages", "retry", "D")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("discarded"),
    });
    expect(await ask("messages", "show", "D", "--content")).toMatchObject({ request: null });
    const { body } = await sidecar.health<{ messages: object; problems: string[] }>();
    expect(body.messages).toMatchObject({ dead: 2, discarded: 1 });
    expect(body.problems.join()).not.toContain("ledger");
    const plugin = await sidecar.connect();
    expect(await plugin.handIn(messageOf("D", BEN, { text: "the secret of Ben" }))).toMatchObject({ type: "ack" });
    plugin.socket.terminate();
    expect(await stateOf("D")).toBe("discarded");
    expect(received()).toEqual([]);
  });

  it("show their words only to somebody whose name is written down", async () => {
    const looks = [["messages", "show", "D"], ["messages", "show", "D", "--json"], ["messages", "list"], ["status"]];
    const hidden = await Promise.all(looks.map((look) => run(...look)));
    expect(JSON.stringify(hidden)).not.toContain("the secret of Ben");
    expect((await run("messages", "show", "D", "--content")).stdout).toContain("the secret of Ben");
    expect(await ask("audit")).toMatchObject([
      { action: "read the text", kind: "message", subject: 4, result: "done" },
    ]);
  });

  it("are seen while the sidecar is stopped, too, and nothing is changed then", async () => {
    const { body: running } = await sidecar.health<{ messages: Record<string, unknown> & { last_dead: unknown } }>();
    await sidecar.process.stop();
    const { code, stdout, stderr } = await run("messages", "list", "--state", "dead");
    expect(code).toBe(0);
    expect(stderr).toContain("No sidecar runs");
    expect(stdout.match(/^\d+ +dead/gm)).toHaveLength(3);
    const refused = [
      ["messages", "retry", "B"],
      ["messages", "show", "B", "--content"],
    ];
    const needsOne = expect.stringMatching(/^hotbags: no sidecar runs on \S+, and this needs one: start it/);
    for (const args of refused) expect(await run(...args)).toEqual({ code: 3, stdout: "", stderr: needsOne });
    const stopped = await run("status", "--json");
    expect(stopped.code).toBe(1);
    const { messages, disk } = JSON.parse(stopped.stdout);
    expect(messages.last_dead).toEqual(running.messages.last_dead);
    for (const field of ["oldest_wait_ms", "last_accepted_at"]) delete running.messages[field];
    expect(Object.keys(messages).sort()).toEqual(Object.keys(running.messages).sort());
    expect(disk.free_bytes).toBeGreaterThan(0);
    expect(await run("status")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /the sidecar does not run[\s\S]*disk +[\d.]+ GiB free\n[\s\S]*none was made by the nightly/,
      ),
    });
    expect(await dead()).toHaveLength(3);
    await night(async (store) => void (await store.messages.accept(messageOf("E", BEN))));
    expect((await run("messages", "list", "--state", "pending")).stdout).toContain("the sidecar, which does not run");
  });

  it("say what is wrong with a wrong command, and end with a code that a script can use", async () => {
    const answers: [string[], number, RegExp][] = [
      [["messages", "show", "nobody"], 1, /no message "nobody"/],
      [["messages", "retry", "A"], 1, /it is delivered/],
      // Nothing is announced that is refused.
      [["messages", "discard", "A"], 1, /^message 1: it is delivered/],
      [["commands", "resolve", "--all", "--sent", "--resend"], 2, /--sent and --resend: say only one/],
      [["commands", "resolve", "--all", "--sent", "--dry-run"], 0, /^No command is in doubt there/],
      [["messages", "retry", "99"], 1, /no such message/],
      [["messages", "retry"], 2, /which ones\?/],
      [["messages", "list", "--since", "soon"], 2, /"soon" is no time/],
      [["messages", "list", "--state", "lost"], 2, /^hotbags: --state: must be some of pending, detached/],
      [["messages", "list", "--chat", "Anna"], 2, /^hotbags: --chat: /],
      [["messages", "list", "--limit"], 2, /^hotbags: --limit wants a value/],
      [["messages", "list", "--state-dir="], 2, /^hotbags: --state-dir wants a value/],
      [["messages", "show"], 2, /missing: hotbags messages show <id>, such as hotbags messages show 17/],
      [["contract", "check", "--url", "ftp://shop"], 2, /^hotbags: --url: /],
      [["messages", "list", "--state", "parked"], 2, /openclaw hotbags parked list/],
      [["massages"], 2, /Did you mean messages\?/],
      [["messages"], 2, /list, show, retry or discard/],
      [[], 2, /a command is missing/],
    ];
    const checks = answers.map(async ([args, code, stderr]) =>
      expect(await run(...args), args.join(" ")).toMatchObject({ code, stderr: expect.stringMatching(stderr) }),
    );
    await Promise.all(checks);
    expect(await runHotbags("/nowhere/at/all", "status")).toMatchObject({ code: 3 });
    // By its own name, as npm links it: Node would take the option for its own, and end with 9.
    const linked = join(sidecar.dir, "hotbags");
    chmodSync(CLI, 0o755);
    symlinkSync(CLI, linked);
    const env = { PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
    expect(spawnSync(linked, ["serve", "--env-file", "/none"], { env, encoding: "utf8" })).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/--env-file: \/none can't be used: there is no such file/),
    });
  });
});

it("dead letters on a damaged page are told, and all others sent again", async () => {
  const many = 40;
  await night(async (store) => {
    for (let n = 0; n < many; n++) {
      const { seq } = await store.messages.accept(
        messageOf(`M${n}`, `+1555000${3_000 + n}`, { text: "x".repeat(1_500) }),
      );
      await store.messages.dead(seq, 422, "refused");
    }
  });
  damage(join(sidecar.dir, "bridge.sqlite"), "payloads", { pick: (pages) => pages.slice(2, 3) });
  await sidecar.process.start();
  const { code, stderr } = await run("messages", "retry", "--all-dead", "--yes");
  const sent = Number(/(\d+) of 40 dead letters sent/.exec(stderr)?.[1]);
  expect({ code, sent }).toEqual({ code: 1, sent: expect.any(Number) });
  expect(sent).toBeGreaterThan(many - 10);
  expect(stderr.match(/it could not be written \(SQLITE_CORRUPT\w*\)/g)).toHaveLength(many - sent);
  await delivered(sent);
});

it("commands with numbers for ids are not taken for each other", async () => {
  await night(async (store) => {
    const { seq } = await store.messages.accept(messageOf("A"));
    const command = (id: string) => ({ commandId: id, type: "send_text", text: id, payload: id, refusal: null });
    await store.messages.delivered(seq, 200, "{}", ["2", "1", "7"].map(command));
    for (const id of [1, 2, 3]) {
      await store.commands.sending(id, null);
      await store.commands.settled(id, "in_doubt", { reason: "", whatsappMessageId: null, partial: true });
    }
  });
  await sidecar.process.start();
  const unclear = await run("commands", "resolve", "1", "--sent", "--yes");
  expect(unclear).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/command 2 has the command_id 1\..*#1.*command_id:1/),
  });
  for (const id of ["#1", "command_id:1", "command_id:7"])
    expect(await run("commands", "resolve", id, "--sent", "--yes"), id).toMatchObject({ code: 0 });
  expect((await ask<Row[]>("commands", "list", "--state", "sent")).map(({ id }) => id)).toEqual([3, 2, 1]);
});

it("no word of a customer's moves the terminal's cursor", async () => {
  await night(async (store) => {
    const { seq } = await store.messages.accept(messageOf("A\u001b[2J\r\nB", ANNA, { text: "\u001b]0;mine\u0007" }));
    await store.messages.dead(seq, 422, "no");
  });
  await sidecar.process.start();
  const shown = [await run("messages", "list"), await run("messages", "show", "1", "--content")];
  for (const { stdout } of shown) {
    expect(stdout).toContain("A\ufffd[2J\ufffd\ufffdB");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  }
});

/** Three replies of which nobody knows whether they went out, and one that waits behind the first. */
async function doubtfulNight(store: Store) {
  const command = (commandId: string) => ({
    commandId,
    type: "send_text",
    text: commandId,
    payload: commandId,
    refusal: null,
  });
  for (const [id, chat, commands] of [
    ["A", ANNA, ["first", "second"]],
    ["B", BEN, ["third", "fourth"]],
  ] as const) {
    const { seq } = await store.messages.accept(messageOf(id, chat));
    await store.messages.delivered(seq, 200, "{}", commands.map(command));
  }
  for (const id of [1, 2, 3]) {
    await store.commands.sending(id, null);
    await store.commands.settled(id, "in_doubt", {
      reason: "the gateway died",
      whatsappMessageId: null,
      partial: true,
    });
  }
}

it("commands in doubt are settled as the operator says, and no other way", async () => {
  await night(doubtfulNight);
  await sidecar.process.start();
  await until("what was in no doubt is sent", () => gateway.sends.length === 1);
  const doubts = await ask<Row[]>("commands", "list", "--state", "in_doubt");
  expect(doubts.map(({ command_id }) => command_id)).toEqual(["third", "second", "first"]);
  expect((await run("commands", "show", "first", "--json")).stdout).not.toContain('"text"');
  expect((await run("commands", "show", "first")).stdout).toMatch(
    /commands resolve "#1" --resend\n +[^\n]*comes twice/,
  );
  expect(await run("commands", "resolve", "first", "--resend")).toMatchObject({ code: 2 });
  expect(await run("commands", "resolve", "first", "--resend", "--sent", "--yes")).toMatchObject({ code: 2 });
  expect(gateway.sends).toHaveLength(1);

  expect(await run("commands", "resolve", "first", "--resend", "--yes")).toMatchObject({ code: 0 });
  await until("it is sent", () => gateway.sends.some(({ idempotencyKey }) => idempotencyKey === "first"));
  expect(await run("commands", "resolve", "second", "--sent", "--yes")).toMatchObject({ code: 0 });
  expect(await run("commands", "resolve", "3", "--discard", "--yes")).toMatchObject({ code: 0 });
  expect(await run("commands", "resolve", "3", "--sent")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^command 3: it is failed/),
  });
  await until("it is settled", async () => (await counts()).sent === 3);
  const states = (await ask<Row[]>("commands", "list")).map(({ command_id, state }) => `${command_id} ${state}`);
  expect(states).toEqual(["fourth sent", "third failed", "second sent", "first sent"]);
  expect(gateway.sends.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["fourth", "first"]);
  const { body } = await sidecar.health<{ commands: object }>();
  expect(body.commands).toMatchObject({ in_doubt: 0, sent: 3, failed: 1, pending: 0 });
});

it("a chat is paused while somebody answers there, and goes on when they say so", async () => {
  await night(async (store) => {
    await store.messages.accept(messageOf("A", ANNA));
  });
  hotbags.answers(({ message_id }) => [{ command_id: `to ${message_id}`, type: "send_text", text: "hello" }]);
  await sidecar.process.start();
  await until("it is answered", () => gateway.sends.length === 1);
  for (const wrong of [["15550001001"], ["hello"], [ANNA, "--for", "8d"]])
    expect(await run("chats", "pause", ...wrong), wrong.join(" ")).toMatchObject({ code: 2 });
  const unknown = await run("chats", "pause", "+15559999999", "--for", "1s");
  expect(unknown).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("Nothing has ever come from +15559999999"),
  });
  expect(await run("chats", "pause", ANNA, "--for", "a while")).toMatchObject({ code: 2 });
  expect(await run("chats", "pause", ANNA, "--for", "2h")).toMatchObject({ code: 0 });
  const plugin = await sidecar.connect();
  await plugin.handIn(messageOf("B", ANNA));
  await until("its reply waits", async () => (await counts()).pending === 1);
  const paused = await ask<{ chat_id: string }[]>("chats", "list");
  expect(paused.find(({ chat_id }) => chat_id === ANNA)).toMatchObject({ by: "operator", replies: "hold", waiting: 1 });
  expect(gateway.sends).toHaveLength(1);
  expect(await run("chats", "resume", ANNA)).toMatchObject({ code: 0 });
  await until("it is sent", () => gateway.sends.length === 2);
  plugin.socket.terminate();
  const audit = await ask<{ action: string }[]>("audit");
  expect(audit.map(({ action }) => action)).toEqual([
    "resume +1555…01",
    "pause +1555…01 for 7200 s, hold replies",
    "pause +1555…99 for 1 s, hold replies",
  ]);
});

describe("the socket", () => {
  const raw = (method: string, path: string, body?: string) =>
    new Promise<{ status: number | undefined; answer: unknown }>((resolve, reject) => {
      const call = request({ socketPath: operatorSocketOf(sidecar.dir), method, path }, (response) => {
        json(response).then((answer) => resolve({ status: response.statusCode, answer }), reject);
      });
      call.on("error", reject);
      call.end(body);
    });

  it("does not keep the sidecar from ending, whoever holds a connection to it", async () => {
    await sidecar.process.start();
    const idle = connect(operatorSocketOf(sidecar.dir));
    idle.on("error", () => {});
    await once(idle, "connect");
    idle.write("POST /api/v1/messages/retry HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
    await sidecar.process.stop();
    expect(sidecar.lines.at(-1)?.msg).toBe("sidecar stopped");
  });

  it("is its owner's alone, and says what is wrong with a wrong request", async () => {
    await sidecar.process.start();
    expect(statSync(operatorSocketOf(sidecar.dir)).mode & 0o777).toBe(0o600);
    const wrong: [string, string, string | undefined, number][] = [
      ["GET", "/api/v1/nothing", undefined, 404],
      ["GET", "/", undefined, 404],
      ["DELETE", "/api/v1/messages", undefined, 405],
      ["GET", "/api/v1/messages?limit=501", undefined, 400],
      ["GET", "/api/v1/messages?before=-1", undefined, 400],
      ["GET", "/api/v1/figures?range=year", undefined, 400],
      ["GET", "/api/v1/messages/99", undefined, 404],
      ["POST", "/api/v1/messages/retry", "not JSON", 400],
      ["POST", "/api/v1/messages/retry", '{"ids": ["1"]}', 400],
      ["POST", "/api/v1/messages/retry", `{"ids": [${Array(101).fill(1)}]}`, 400],
      ["POST", "/api/v1/messages/retry", " ".repeat(70_000), 413],
      ["POST", "/api/v1/commands/1/resolve", '{"as": "lost"}', 400],
      ["POST", "/api/v1/commands/1/resolve", '{"as": "sent"}', 404],
    ];
    for (const [method, path, body, status] of wrong) {
      const refused = await raw(method, path, body);
      expect(refused, `${method} ${path}`).toEqual({ status, answer: { error: expect.stringMatching(/\w{3}/) } });
    }
    expect(await raw("GET", "/api/v1/status")).toMatchObject({ status: 200 });
  });
});
