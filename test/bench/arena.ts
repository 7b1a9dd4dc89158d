import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { OUR_PLUGIN } from "../openclaw/places.ts";
import { openShop } from "../shop/shop.ts";
import type { WhatsApp } from "../whatsapp/index.ts";

const EITHER_PLUGIN = fileURLToPath(new URL("./either-plugin.mjs", import.meta.url));

/** Who takes the messages: our plugin, or the hook that only claims them. */
export type Contender = "ours" | "empty";

/** One running gateway, in which either takes the messages. Two gateways differ by more than what is compared. */
export type Arena = {
  whatsapp: WhatsApp;
  /** From the next message on it is this one. To be called while none is on its way. */
  take(contender: Contender): Promise<void>;
  /** Messages that have passed, since the start: ours at Hot Bags, behind our plugin and the sidecar; the others when the hook is called. */
  passed(contender: Contender): number;
  /** The gateway's process. */
  pid(): number | undefined;
  /**
   * Leaves the gateway a CPU of its own, and all else the others: else the sidecar and the stand-ins, which have work to do for ours
   * only, would count as the plugin's cost. @throws Error where there is one CPU only, or no `taskset`.
   */
  separate(): Promise<void>;
  close(): Promise<void>;
};

export async function openArena(log: (line: string) => void): Promise<Arena> {
  const folder = await mkdtemp(join(tmpdir(), "hotbags-bench-"));
  const emptyFile = join(folder, "empty");
  let claimed = 0;
  const ticks = createServer((socket) => {
    socket.on("data", (bytes) => {
      claimed += bytes.length;
    });
  });
  await new Promise<void>((resolve) => ticks.listen(0, "127.0.0.1", resolve));
  const address = ticks.address();
  if (address === null || typeof address === "string") throw new Error("no port to count on");
  const clear = async () => {
    ticks.close();
    await rm(folder, { recursive: true });
  };
  try {
    const plugin = join(OUR_PLUGIN, "dist", "index.js");
    const env = { BENCH_EMPTY: emptyFile, BENCH_PLUGIN: plugin, BENCH_TICK_PORT: String(address.port) };
    const shop = await openShop({ log, pluginPath: await writeEitherPlugin(folder), gatewayEnv: env });
    return {
      whatsapp: shop.whatsapp,
      take: (contender) => (contender === "empty" ? writeFile(emptyFile, "") : rm(emptyFile, { force: true })),
      passed: (contender) => (contender === "empty" ? claimed : shop.hotbags.accepted.length),
      pid: () => shop.gateway.pid,
      separate: async () => {
        if (cpus().length < 2) throw new Error("there is one CPU only");
        await bind("0", shop.gateway.pid);
        for (const pid of [shop.sidecar.pid, process.pid]) await bind(`1-${cpus().length - 1}`, pid);
      },
      close: async () => {
        await shop.close();
        await clear();
      },
    };
  } catch (error) {
    await clear();
    throw error;
  }
}

/** To OpenClaw it is ours, by id and manifest. Returns its folder. */
async function writeEitherPlugin(root: string): Promise<string> {
  const folder = join(root, "plugin");
  await mkdir(folder);
  await copyFile(EITHER_PLUGIN, join(folder, "index.mjs"));
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
