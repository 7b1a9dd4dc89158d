import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeBrokenPlugin } from "../openclaw/broken-plugin.ts";
import { COMMAND_WORDS } from "../openclaw/command-words.ts";
import type { ConfigPatch, GatewayConfig } from "../openclaw/config.ts";
import { type Gateway, startGateway } from "../openclaw/index.ts";
import { agentDefaults, type Model, startModel } from "../openclaw/model.ts";
import { connectOperator, type Operator } from "../openclaw/operator.ts";
import { OUR_PLUGIN } from "../openclaw/places.ts";
import { until } from "../until.ts";
import { type Contact, startWhatsApp, type WhatsApp } from "../whatsapp/index.ts";

// Without a plugin that works, and so without a sidecar: nobody takes the messages off OpenClaw, and the two locks have to keep it silent.
// One gateway, restarted for each set of plugins. OpenClaw's own log says when it is through with a message; then the operator sends a
// marker into the same chat, and it is all that WhatsApp has got from the bot.
const BOT = "+15559990000";
const CUSTOMERS = Array.from({ length: 20 }, (_, n) => `+155500020${String(n + 1).padStart(2, "0")}`);
const MARKER = "a marker of the operator";

let folder: string;
let whatsapp: WhatsApp;
let model: Model;
let gateway: Gateway;
let operator: Operator;
/** What the example has, to put it back. */
const example = { sendPolicy: undefined as unknown, target: "" };
/** The first one is for what OpenClaw says without being asked. */
const customers = CUSTOMERS.slice(1);
/** The chats in which nothing kept OpenClaw silent. */
const talkative = new Set([CUSTOMERS[0]]);
/** Ids of the messages that OpenClaw is through with. */
const processed = new Set<string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotbags-silence-"));
  whatsapp = await startWhatsApp();
  model = await startModel();
  gateway = await startGateway({
    whatsapp,
    number: BOT,
    plugin: "none",
    sidecarUrl: "ws://127.0.0.1:9",
    bridgeToken: "nobody asks for it",
    allowFrom: CUSTOMERS,
    configPatch(config) {
      example.sendPolicy = sessionOf(config)["sendPolicy"];
      example.target = agentDefaults(config).heartbeat.target ?? "";
      // Its console then has a line for each message that it is through with.
      model.configure(config);
      config.logging = { ...config.logging, consoleLevel: "debug" };
      return config;
    },
  });
  gateway.onLine((line) => {
    const [, id] = /message processed: .* messageId=(\S+) /.exec(line) ?? [];
    if (id !== undefined) processed.add(id);
  });
  await up();
});
afterAll(async () => {
  await operator?.close();
  await gateway?.dispose();
  await model?.close();
  await whatsapp?.close();
  if (folder) await rm(folder, { recursive: true });
});

async function up() {
  await gateway.listening();
  await whatsapp.online();
  operator = await connectOperator(gateway);
}

async function restartWith(configure: ConfigPatch) {
  await operator.close();
  await gateway.stop();
  await gateway.configure(configure);
  await gateway.start();
  await up();
}

function customer() {
  const number = customers.shift();
  if (number === undefined) throw new Error("more tests than customers: make the list longer");
  return whatsapp.contact(number);
}

/** A customer whom OpenClaw is free to answer. */
function talkedTo() {
  const anna = customer();
  talkative.add(anna.number);
  return anna;
}

const first = () => whatsapp.contact(CUSTOMERS[0] ?? "");

function sessionOf(config: GatewayConfig) {
  return config["session"] as Record<string, unknown>;
}

async function saysAll(anna: Contact) {
  for (const word of COMMAND_WORDS) {
    const { id } = await anna.says(word);
    await until(`OpenClaw is through with ${word}`, () => processed.has(id), 60_000);
  }
}

/** All that has left the bot since `start`, to anybody: chat and text. */
const leftSince = (start: number) => whatsapp.sent.slice(start).map(({ chat, text }) => [chat, text]);

/** One customer says every word, and the first thing that anybody hears is the marker. */
async function hearsNothing() {
  const anna = customer();
  const start = whatsapp.sent.length;
  await saysAll(anna);
  await operator.send(anna.number, MARKER);
  await anna.hears(MARKER);
  expect(leftSince(start)).toEqual([[anna.number, MARKER]]);
}

function lock(config: GatewayConfig) {
  sessionOf(config)["sendPolicy"] = example.sendPolicy;
  agentDefaults(config).heartbeat.target = example.target;
}

/** Takes the first lock away from a running gateway, which says nothing when it has taken that up: so a customer writes until it shows. */
async function unlock(anna: Contact, shows: () => boolean) {
  await gateway.configure((config) => {
    delete sessionOf(config)["sendPolicy"];
    return config;
  });
  while (!shows()) {
    const { id } = await anna.says("good morning");
    await until("OpenClaw is through with it", () => processed.has(id), 60_000);
  }
}

function loadPlugin({ plugins }: GatewayConfig, path: string) {
  plugins.load = { paths: [path] };
  plugins.allow = ["whatsapp", "hotbags"];
  plugins.entries["hotbags"] = {
    enabled: true,
    config: { sidecarUrl: "ws://127.0.0.1:9", token: "nobody asks for it" },
  };
}

/** Has OpenClaw run its agent, as it does when a job of its own is through. It tells the first customer in allowFrom, if anybody. */
async function wake() {
  const { asked } = model;
  await operator.request("wake", { mode: "now", text: "Say what is new." });
  await until("the model was asked", () => model.asked > asked, 60_000);
}

it("the plugin is not installed, and a model is there with its key: it is asked, and nobody hears it", async () => {
  await hearsNothing();
  expect(model.asked).toBeGreaterThan(0);
});

it("without either lock customers hear OpenClaw on every word, and when its agent is woken: these tests can fail", async () => {
  const applied = gateway.logged(/config hot reload applied/, { timeoutMs: 60_000 });
  await gateway.configure((config) => {
    delete agentDefaults(config).heartbeat.target;
    return config;
  });
  await applied;
  const probe = talkedTo();
  await unlock(probe, () => probe.heard.length > 0);
  for (const word of COMMAND_WORDS) {
    const anna = talkedTo();
    await anna.says(word);
    await anna.hears(undefined, { timeoutMs: 60_000 });
  }
  await wake();
  await first().hears(/heartbeat/i, { timeoutMs: 60_000 });
});

it("the plugin is there and not in plugins.allow", async () => {
  await restartWith((config) => {
    lock(config);
    // With its configuration in plugins.entries, OpenClaw would add it to the list by itself.
    config.plugins.load = { paths: [OUR_PLUGIN] };
  });
  await wake();
  await hearsNothing();
}, 240_000);

it("the plugin throws while loading, and there is no model: the example as it is", async () => {
  const path = await writeBrokenPlugin(folder, "throws while loading");
  const threw = gateway.logged(/this plugin throws while loading/, { timeoutMs: 120_000 });
  await restartWith((config) => {
    loadPlugin(config, path);
    model.remove(config);
  });
  await threw;
  await hearsNothing();
}, 240_000);

it("the plugin throws in its hooks", async () => {
  const path = await writeBrokenPlugin(folder, "throws in its hooks");
  await restartWith((config) => {
    loadPlugin(config, path);
    model.configure(config);
  });
  const threw = gateway.logged(/this plugin throws in its hooks/, { timeoutMs: 60_000 });
  await hearsNothing();
  await threw;
}, 240_000);

it("the configuration has no lock, and the plugin's own one is left: it alone is enough", async () => {
  const cancelled = () => gateway.logs.filter((line) => line.includes("reply_payload_sending cancel=true")).length;
  await unlock(customer(), () => cancelled() > 0);
  const before = cancelled();
  await hearsNothing();
  expect(cancelled()).toBeGreaterThan(before + COMMAND_WORDS.length / 2);
});

it("after all that, when the gateway has ended: nothing has left the bot but the markers, and OpenClaw's words where nothing cancelled it", async () => {
  await operator.close();
  await gateway.stop();
  const silent = whatsapp.sent.filter(({ chat }) => !talkative.has(chat));
  expect(silent.every(({ text }) => text === MARKER)).toBe(true);
  expect(silent).toHaveLength(5);
  expect(first().heard).toHaveLength(1);
  // Nor was "typing…" shown where nothing was typed: only the markers themselves show it.
  const typing = whatsapp.chatStates.filter(({ state, chat }) => state === "composing" && !talkative.has(chat));
  expect(typing.map(({ chat }) => chat).sort()).toEqual(silent.map(({ chat }) => chat).sort());
});
