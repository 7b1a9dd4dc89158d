import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer, type Server } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { HotBags } from "../hotbags/index.ts";
import { OUR_PLUGIN } from "../openclaw/places.ts";
import { openShop, type Shop } from "../shop/shop.ts";
import type { WhatsApp } from "../whatsapp/index.ts";
import { now } from "./plugin.ts";
import { type Seen, startWsRelay } from "./ws-relay.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Who takes the messages: our plugin, the usual one, or the hook that only claims them. */
export const CONTENDERS = {
  empty: "empty claim hook",
  ours: "our plugin",
  usual: "the usual plugin",
};
export type Contender = keyof typeof CONTENDERS;

/**
 * Where a message can be seen on its way. `called`, `returned`: the claim hook; `linked`: on the way to the sidecar; `posted`, `answered`:
 * at the backend; `sent`, `taken`: the reply is handed to the gateway, and that has answered; `heard`: the reply is on the phone.
 */
export type Point = "called" | "returned" | "linked" | "posted" | "answered" | "sent" | "taken" | "heard";

/** What the backend does: it answers after so long, with a reply or without. */
export interface Backend {
  delayMs: number;
  replies: boolean;
}

/** One running gateway, in which any of them takes the messages. Two gateways differ by more than what is compared. */
export type Arena = {
  shop: Shop;
  whatsapp: WhatsApp;
  /** From the next message on it is this one. To be called while none is on its way. */
  take(contender: Contender): Promise<void>;
  /** Ends the gateway in good order and starts it again, with all of them or with the one that takes alone. Resolves when it takes messages. */
  restart(loaded: "all" | "alone"): Promise<void>;
  backend: Backend;
  /** Messages that have passed, since the start: the empty hook's when it has returned, the others' at the backend. */
  passed(contender: Contender): number;
  /** Calls the listener with what is seen of a message, and when, ms of the machine's monotonic clock. Returns how to stop that. */
  onPoint(listener: (point: Point, id: string, at: number) => void): () => void;
  /**
   * Leaves the gateway a CPU of its own, and all else the others: else the sidecar and the stand-ins, which have work to do for ours
   * only, would count as the plugin's cost. @throws Error where there is one CPU only, or no `taskset`.
   */
  separate(): Promise<void>;
  close(): Promise<void>;
};

export async function openArena(log: (line: string) => void): Promise<Arena> {
  const folder = await mkdtemp(join(tmpdir(), "hotbags-bench-"));
  const contenderFile = join(folder, "contender");
  await writeFile(contenderFile, "ours");
  const listeners = new Set<(point: Point, id: string, at: number) => void>();
  const counts = { empty: 0, ours: 0, usual: 0 };
  let taking: Contender = "ours";
  const see = (point: Point, id: string, at = now()) => {
    if (point === (taking === "empty" ? "returned" : "posted")) counts[taking] += 1;
    for (const listener of listeners) listener(point, id, at);
  };

  const backend: Backend = { delayMs: 0, replies: false };
  const usual = await startUsualShop(backend, see);
  const turns = await listenForTurns(see);
  const link = await startWsRelay(linkSeen(see));
  const sends = await startWsRelay(sendsSeen(see));
  const closers = [() => rm(folder, { recursive: true }), usual.close, turns.close, sends.close, link.close];
  const close = async () => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    const shop = await openShop({
      log,
      pluginPath: await writeEitherPlugin(folder),
      configPatch(config) {
        const bridge = config.plugins.entries["hotbags"]?.config ?? {};
        link.target = String(bridge["sidecarUrl"]);
        bridge["sidecarUrl"] = `ws://127.0.0.1:${link.port}`;
        sends.target = `ws://127.0.0.1:${config.gateway.port}`;
        return undefined;
      },
      sidecarEnv: { OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${sends.port}` },
      gatewayEnv: {
        BENCH_CONTENDER: contenderFile,
        BENCH_PLUGIN: join(OUR_PLUGIN, "dist", "index.js"),
        BENCH_PORT: String(turns.port),
        SHOP_URL: `http://127.0.0.1:${usual.port}/whatsapp`,
        SHOP_TOKEN: "token-of-the-usual-shop",
      },
    });
    closers.push(shop.close);
    serve(shop.hotbags, backend, see);
    shop.whatsapp.onEvent((event) => {
      if (event.type !== "heard") return;
      const id = idOfReply(event.message.text);
      if (id !== undefined) see("heard", id);
    });
    return {
      shop,
      whatsapp: shop.whatsapp,
      take(contender) {
        taking = contender;
        return writeFile(contenderFile, contender);
      },
      async restart(loaded) {
        await writeFile(contenderFile, loaded === "alone" ? `${taking} alone` : taking);
        await shop.gateway.stop();
        await shop.restartGateway();
      },
      backend,
      passed: (contender) => counts[contender],
      onPoint(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      separate: async () => {
        if (cpus().length < 2) throw new Error("there is one CPU only");
        await bind("0", shop.gateway.pid);
        for (const pid of [shop.sidecar.pid, process.pid]) await bind(`1-${cpus().length - 1}`, pid);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type See = (point: Point, id: string, at?: number) => void;

/** What the plugin says of each turn that it has ended: either-plugin.mjs. */
function listenForTurns(see: See): Promise<Listening> {
  const server = createServer((socket) => {
    let rest = "";
    socket.setEncoding("utf8").on("data", (text) => {
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [id = "", called, returned] = line.split(" ");
        see("called", id, Number(called) / 1e6);
        see("returned", id, Number(returned) / 1e6);
      }
    });
    socket.on("error", () => {});
  });
  return listen(server);
}

type Listening = { port: number; close(): Promise<void> };

/** On a free port of this machine. */
async function listen(server: Server | HttpServer): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port to listen on");
  return { port: address.port, close: async () => void server.close() };
}

/** Of the plugin's link: its messages. */
function linkSeen(see: See): Seen {
  return (from, data) => {
    const at = now();
    if (from === "server") return;
    const frame = JSON.parse(String(data));
    if (frame.type === "message") see("linked", frame.message.message_id, at);
  };
}

/** Of the sidecar's connection to the gateway: each `send`, and its answer. */
function sendsSeen(see: See): Seen {
  const asked = new Map<string, string>();
  return (from, data) => {
    const at = now();
    const frame = JSON.parse(String(data));
    if (from === "client" && frame.method === "send") {
      const id = String(frame.params.idempotencyKey).slice("re:".length);
      asked.set(frame.id, id);
      see("sent", id, at);
    }
    const answered = from === "server" && frame.type === "res" ? asked.get(frame.id) : undefined;
    if (answered === undefined) return;
    asked.delete(frame.id);
    see("taken", answered, at);
  };
}

/** The double of Hot Bags, for ours. */
function serve(hotbags: HotBags, backend: Backend, see: See): void {
  hotbags.onEvent((event) => {
    if (event.type === "attempt" && event.attempt.key !== undefined) see("posted", event.attempt.key);
  });
  hotbags.answers(({ message_id }) => workOut(message_id, backend, see));
}

/** The same without a contract, for the usual plugin. */
async function startUsualShop(backend: Backend, see: See): Promise<Listening> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { message_id: id } = (await json(request)) as { message_id: string };
    see("posted", id);
    const body = JSON.stringify({ commands: await workOut(id, backend, see) });
    response.writeHead(200, { "content-type": "application/json" }).end(body);
  };
  // Nobody waits for the answer to a request that a restart of the gateway has cut.
  return listen(
    createHttpServer((request, response) => void answer(request, response).catch(() => response.destroy())),
  );
}

async function workOut(id: string, { delayMs, replies }: Backend, see: See) {
  if (delayMs > 0) await sleep(delayMs);
  see("answered", id);
  return replies ? [{ command_id: `re:${id}`, type: "send_text", text: replyTo(id) }] : [];
}

const replyTo = (id: string) => `Yes, we have it in red too, in all three sizes. Your message was ${id}`;
const idOfReply = (text: string | undefined) => /Your message was (\S+)$/.exec(text ?? "")?.[1];

/** To OpenClaw it is ours, by id and manifest. Returns its folder. */
async function writeEitherPlugin(root: string): Promise<string> {
  const folder = join(root, "plugin");
  await mkdir(folder);
  await copyFile(here("./either-plugin.mjs"), join(folder, "index.mjs"));
  await copyFile(here("./usual-plugin.mjs"), join(folder, "usual-plugin.mjs"));
  await copyFile(join(OUR_PLUGIN, "openclaw.plugin.json"), join(folder, "openclaw.plugin.json"));
  const manifest = {
    name: "either-plugin",
    version: "0.0.0",
    type: "module",
    openclaw: { extensions: ["./index.mjs"] },
  };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  return folder;
}

/** Keeps all threads of a process to these CPUs. */
async function bind(cpuList: string, pid: number | undefined): Promise<void> {
  await promisify(execFile)("taskset", ["-a", "-c", "-p", cpuList, String(pid)]);
}
