import { afterEach, beforeEach, expect, it } from "vitest";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type Command, type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// The real sidecar, and a shop where somebody answers a customer by hand for a while.

/** A pause that a test waits for, s. */
const PAUSE_S = 2;

let gateway: ScriptedGateway;
let hotbags: HotBags;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;

beforeEach(async () => {
  gateway = await new ScriptedGateway().start();
  gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ text }) => answers[text] ?? [says(`to ${text}`)]);
  sidecar = await BuiltSidecar.start({ hotbags, gateway });
  plugin = await sidecar.connect();
});
afterEach(async () => {
  plugin.socket.terminate();
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
});

const says = (text: string): Command => ({ command_id: text, type: "send_text", text });
const pause = (more: object): Command => ({ command_id: "pause", type: "pause_chat", for_seconds: 3_600, ...more });
const resume: Command = { command_id: "resume", type: "resume_chat" };

/** By the message's text; any other message is answered with a text. */
const answers: Record<string, Command[]> = {
  "let me talk to a human": [says("a colleague answers you"), pause({})],
  "a moment please": [pause({ for_seconds: PAUSE_S })],
  "do not answer me": [pause({ replies: "skip" })],
  "that was all": [says("have a nice day"), resume, says("what else can I do?")],
};

type Report = { problems: string[]; commands: Record<string, number>; messages: { pending: number } };
const health = async () => (await sidecar.health<Report>()).body;
let ids = 0;
const writes = (text: string, chat = ANNA) => plugin.handIn(messageOf(`M${++ids}`, chat, { text }));
const keysTo = (chat: string) =>
  gateway.sends.filter(({ to }) => to === chat).map(({ idempotencyKey }) => idempotencyKey);
const count = (name: string, is: number) =>
  until(`${is} command(s) are ${name}`, async () => (await health()).commands[name] === is);
const heard = (text: string, chat = ANNA) => until(`"${text}" is sent`, () => keysTo(chat).includes(text));

it("holds the replies of a chat that Hot Bags pauses, while its messages arrive and other chats are answered", async () => {
  await writes("let me talk to a human");
  await heard("a colleague answers you");
  await count("paused_chats", 1);
  await writes("hello?");
  await writes("anybody there?");
  await hotbags.receives("anybody there?");
  await count("pending", 2);
  await writes("hi", BEN);
  await heard("to hi", BEN);
  await sidecar.process.kill();
  plugin.socket.terminate();
  await sidecar.process.start();
  plugin = await sidecar.connect();
  await writes("hi again", BEN);
  await heard("to hi again", BEN);
  expect(keysTo(ANNA)).toEqual(["a colleague answers you"]);
  const { problems, commands } = await health();
  expect(problems).toEqual([]);
  expect(commands).toMatchObject({ pending: 2, paused_chats: 1, done: 1 });

  await writes("that was all");
  await heard("what else can I do?");
  const all = ["a colleague answers you", "to hello?", "to anybody there?", "have a nice day", "what else can I do?"];
  expect(keysTo(ANNA)).toEqual(all);
  expect((await health()).commands).toMatchObject({ pending: 0, paused_chats: 0, done: 2 });
});

it("lets what was held go when the pause is over, by itself and in order", async () => {
  const began = performance.now();
  let first: number | undefined;
  gateway.send = ({ idempotencyKey }) => {
    first ??= performance.now();
    return { ok: true, payload: { messageId: `WA-${idempotencyKey}` } };
  };
  for (const text of ["a moment please", "one", "two"]) await writes(text);
  await heard("to two");
  expect(keysTo(ANNA)).toEqual(["to one", "to two"]);
  // The pause began after `began`, so on a slow machine this is longer still.
  expect(Number(first) - began).toBeGreaterThanOrEqual(PAUSE_S * 1_000);
});

it("never sends what was given during a pause that skips replies", async () => {
  await writes("do not answer me");
  await writes("one");
  await count("skipped", 1);
  await writes("that was all");
  await heard("what else can I do?");
  expect(keysTo(ANNA)).toEqual(["what else can I do?"]);
  expect((await health()).commands).toMatchObject({ pending: 0, skipped: 2, failed: 0 });
});
