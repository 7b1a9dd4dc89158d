import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { treeHandles, treeRss } from "../bench/processes.ts";
import { table } from "../bench/report.ts";
import type { Shop } from "../shop/shop.ts";

/** What the bridge and the gateway take at one time. Bytes, and counts. */
interface Footprint {
  /** Since the start, ms. */
  atMs: number;
  messages: number;
  gatewayRss: number;
  gatewayHandles: number;
  sidecarRss: number;
  sidecarHandles: number;
  outboxWal: number;
  sidecarWal: number;
  database: number;
  /** All that they have said so far. */
  gatewayLog: number;
  sidecarLog: number;
}

/** Looks at the start, after each quarter of the time, and at the end. */
const QUARTERS = 4;

/** What all of it takes from now on, over so long. */
export class Footprints {
  readonly #shop: Shop;
  readonly #seen: Footprint[] = [];
  readonly #begun = performance.now();
  readonly #timers: NodeJS.Timeout[];
  readonly #forget: (() => void)[];
  #gatewayLog = 0;
  #sidecarLog = 0;

  constructor(shop: Shop, durationMs: number) {
    this.#shop = shop;
    this.#forget = [
      shop.gateway.onLine((line) => {
        this.#gatewayLog += Buffer.byteLength(line) + 1;
      }),
      shop.sidecar.onLine((line) => {
        this.#sidecarLog += Buffer.byteLength(JSON.stringify(line)) + 1;
      }),
    ];
    this.#look();
    this.#timers = Array.from({ length: QUARTERS - 1 }, (_, n) =>
      setTimeout(() => this.#look(), (durationMs * (n + 1)) / QUARTERS),
    );
  }

  /** Looks a last time, and draws all as Markdown. */
  end(): string {
    this.stop();
    this.#look();
    const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
    const whole = (value: number) => String(value);
    const lines: [string, (it: Footprint) => string][] = [
      ["messages so far", ({ messages }) => whole(messages)],
      ["RSS of the gateway and all that it starts, MB", ({ gatewayRss }) => mb(gatewayRss)],
      ["its open files and sockets", ({ gatewayHandles }) => whole(gatewayHandles)],
      ["RSS of the sidecar, MB", ({ sidecarRss }) => mb(sidecarRss)],
      ["its open files and sockets", ({ sidecarHandles }) => whole(sidecarHandles)],
      ["WAL of the plugin's outbox, MB", ({ outboxWal }) => mb(outboxWal)],
      ["WAL of the sidecar's database, MB", ({ sidecarWal }) => mb(sidecarWal)],
      ["the database, which keeps the messages, MB", ({ database }) => mb(database)],
    ];
    const perMessage = (log: "gatewayLog" | "sidecarLog") =>
      this.#seen.map((it, n) => {
        const last = this.#seen[n - 1];
        return last ? ((it[log] - last[log]) / Math.max(1, it.messages - last.messages)).toFixed(0) : "";
      });
    return table([
      ["minutes", ...this.#seen.map(({ atMs }) => (atMs / 60_000).toFixed(1))],
      ...lines.map(([title, of]) => [title, ...this.#seen.map(of)]),
      ["log of the gateway since the look before, bytes a message", ...perMessage("gatewayLog")],
      ["log of the sidecar since the look before, bytes a message", ...perMessage("sidecarLog")],
    ]);
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const forget of this.#forget.splice(0)) forget();
  }

  #look(): void {
    const { gateway, sidecar, stateDir, hotbags } = this.#shop;
    this.#seen.push({
      atMs: performance.now() - this.#begun,
      messages: hotbags.accepted.length,
      gatewayRss: treeRss(gateway.pid),
      gatewayHandles: treeHandles(gateway.pid),
      sidecarRss: treeRss(sidecar.pid),
      sidecarHandles: treeHandles(sidecar.pid),
      outboxWal: sizeOf(join(gateway.stateDir, "hotbags", "outbox.sqlite-wal")),
      sidecarWal: sizeOf(join(stateDir, "bridge.sqlite-wal")),
      database: sizeOf(join(stateDir, "bridge.sqlite")),
      gatewayLog: this.#gatewayLog + logFiles(dirname(gateway.configPath)),
      sidecarLog: this.#sidecarLog,
    });
  }
}

/** What OpenClaw writes besides, to files of its own. */
function logFiles(folder: string): number {
  const files = readdirSync(folder).filter((name) => name.startsWith("openclaw") && name.includes(".log"));
  return files.reduce((sum, name) => sum + sizeOf(join(folder, name)), 0);
}

/** 0 where there is none. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
