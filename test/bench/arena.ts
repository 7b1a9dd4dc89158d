import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { OUR_PLUGIN } from "../openclaw/places.ts";
import { openShop, type Shop } from "../shop/shop.ts";
import type { WhatsApp } from "../whatsapp/index.ts";
import { type Backend, Between, type See } from "./between.ts";
import { now } from "./plugin.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Who takes the messages: our plugin, the usual one, or the hook that only claims them. */
export const CONTENDERS = {
  empty: "empty claim hook",
  ours: "our plugin",
  usual: "the usual plugin",
};
export type Contender = keyof typeof CONTENDERS;

/** One running gateway, in which any of them takes the messages. Two gateways differ by more than what is compared. */
export type Arena = {
  shop: Shop;
  whatsapp: WhatsApp;
  /** From the next message on it is this one. To be called while none is on its way. */
  take(contender: Contender): Promise<void>;
  /** Ends the gateway in good order and starts it again, with all of them or with the one that takes alone. Resolves when it takes messages. */
  restart(loaded: "all" | "alone"): Promise<void>;
  /** From the next message on the backend does this. To be called while none is on its way. */
  answers(backend: Backend): Promise<void>;
  /** Messages that have passed, since the start: the empty hook's when it has returned, the others' at the backend. */
  passed(contender: Contender): number;
  /** What the gateway's own process holds when all that is garbage is gone, bytes. To be called when a message has passed since its start. */
  held(): Promise<number>;
  /** Calls the listener with what is seen of a message, and when, ms of the machine's monotonic clock. Returns how to stop that. */
  onPoint(listener: See): () => void;
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
  const listeners = new Set<See>();
  const counts = { empty: 0, ours: 0, usual: 0 };
  let taking: Contender = "ours";
  const see: See = (point, id, at) => {
    if (point === (taking === "empty" ? "returned" : "posted")) counts[taking] += 1;
    for (const listener of listeners) listener(point, id, at);
  };

  const between = await Between.start(see);
  const turns = await listenForTurns(see);
  const closers = [() => rm(folder, { recursive: true }), () => between.close(), turns.close];
  const close = async () => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    const { addresses } = between;
    const shop = await openShop({
      log,
      pluginPath: await writeEitherPlugin(folder),
      configPatch(config) {
        const bridge = config.plugins.entries["hotbags"]?.config ?? {};
        between.leadTo({ link: String(bridge["sidecarUrl"]), gateway: `ws://127.0.0.1:${config.gateway.port}` });
        bridge["sidecarUrl"] = addresses.link;
        return undefined;
      },
      sidecarEnv: { HOTBAGS_BASE_URL: addresses.backend, OPENCLAW_GATEWAY_URL: addresses.gateway },
      gatewayEnv: {
        BENCH_CONTENDER: contenderFile,
        BENCH_PLUGIN: join(OUR_PLUGIN, "dist", "index.js"),
        BENCH_PORT: String(turns.port),
        SHOP_URL: `${addresses.backend}/whatsapp`,
        SHOP_TOKEN: "token-of-the-usual-shop",
      },
    });
    closers.push(shop.close);
    shop.whatsapp.onEvent((event) => {
      if (event.type !== "heard") return;
      const id = idOfReply(event.message.text);
      if (id !== undefined) see("heard", id, now());
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
      answers: (backend) => between.answers(backend),
      passed: (contender) => counts[contender],
      held: () => turns.held(),
      onPoint(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      separate: async () => {
        if (cpus().length < 2) throw new Error("there is one CPU only");
        await bind("0", shop.gateway.pid);
        for (const pid of [shop.sidecar.pid, between.pid, process.pid]) await bind(`1-${cpus().length - 1}`, pid);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the plugin says of each turn that it has ended, and when it is asked: either-plugin.mjs. */
async function listenForTurns(see: See) {
  let plugin: Socket | undefined;
  let held: (bytes: number) => void = () => {};
  const server = createServer((socket) => {
    plugin = socket;
    let rest = "";
    socket.setEncoding("utf8").on("data", (text) => {
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [id = "", called, returned] = line.split(" ");
        if (id === "heap") {
          held(Number(called));
          continue;
        }
        see("called", id, Number(called) / 1e6);
        see("returned", id, Number(returned) / 1e6);
      }
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    held: () =>
      new Promise<number>((resolve, reject) => {
        held = resolve;
        if (plugin) plugin.write("?");
        else reject(new Error("no message has passed"));
      }),
    close: async () => void server.close(),
  };
}

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
