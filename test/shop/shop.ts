import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import type { ConfigPatch } from "../openclaw/config.ts";
import { type BotAccount, type Gateway, startGateway } from "../openclaw/index.ts";
import { until } from "../until.ts";
import {
  type Contact,
  type ContactOptions,
  type Group,
  type GroupOptions,
  startWhatsApp,
  type WhatsApp,
} from "../whatsapp/index.ts";
import { SidecarProcess } from "./sidecar-process.ts";

export const BOT_NUMBER = "+15559990000";
export const BEARER_TOKEN = "bearer-of-the-test-shop";
export const BRIDGE_TOKEN = "bridge-token-of-the-test-shop";
/** For the tests that switch signatures on. */
export const HMAC_SECRET = "hmac-secret-of-the-test-shop";

/** Customers that the gateway lets through. */
export const CUSTOMERS = Array.from({ length: 200 }, (_, n) => `+15550001${String(n + 1).padStart(3, "0")}`);

/** Twice the plugin's longest wait between two attempts to connect. */
const HEALTHY_MS = 60_000;

/** Groups that the gateway lets through. */
const GROUPS = Array.from({ length: 20 }, (_, n) => `1203630000000000${String(n + 1).padStart(2, "0")}@g.us`);

/** All four parts of the path, running: the two far ends as doubles, everything between them real. */
export interface Shop {
  whatsapp: WhatsApp;
  gateway: Gateway;
  sidecar: SidecarProcess;
  /** The sidecar's state folder. */
  stateDir: string;
  hotbags: HotBags;
  /** A customer whom nobody was given yet, so that no test depends on another. @throws Error when there is none left. */
  newCustomer(options?: ContactOptions): Contact;
  /** A group that nobody was given yet, and that the gateway lets through. @throws Error when there is none left. */
  newGroup(options: GroupOptions): Group;
  /** What `GET /health` of the sidecar says now. */
  health(): Promise<{ status: number; body: Record<string, unknown> }>;
  /**
   * Resolves when the sidecar says that all is well. After a restart of anything that takes as long as the longest wait between two
   * attempts to connect: 30 s. @throws Error with the sidecar's problems after 60 s.
   */
  healthy(): Promise<void>;
  /** Starts the gateway again, and resolves when messages come through it. */
  restartGateway(): Promise<void>;
  /** Ends what was started, in reverse, and removes its folders. */
  close(): Promise<void>;
}

/** A module that a process loads before anything else, and the environment that it needs. */
type Preload = { module: string; env: Record<string, string> };

export interface ShopOptions {
  /** The far ends, where several shops have the same: whoever has started them closes them. Default: its own. */
  ends?: Omit<Ends, "close">;
  /** The bots of the gateway. Default: one, `default`. */
  accounts?: readonly BotAccount[];
  /** Gets a line for each step of the start. */
  log?: (line: string) => void;
  /** The start is given up, and what was started is ended, when this resolves. */
  interrupted?: Promise<void>;
  /** Makes the state that the sidecar finds, in its folder. Default: none. */
  sidecarState?: (stateDir: string) => Promise<void>;
  /** On top of what the sidecar needs. */
  sidecarEnv?: Record<string, string>;
  /** What the plugin's configuration has besides the example's. Not with `installedIn`. */
  pluginConfig?: Record<string, unknown>;
  /** A change to OpenClaw's configuration, which is that of the example. */
  configPatch?: ConfigPatch;
  /** The folder of a plugin that goes by our plugin's id, in place of ours. */
  pluginPath?: string;
  /** On top of what the gateway needs. */
  gatewayEnv?: Record<string, string>;
  /** A module that the gateway loads before anything else, and the environment that it needs. */
  gatewayPreload?: Preload;
  /** The same for the sidecar. */
  sidecarPreload?: Preload;
  /** A gateway's state folder with our plugin installed in it. Default: a new one, and the plugin from this repository's folder. */
  installedIn?: string;
}

/** What is at the far ends of a shop, or of several. */
export interface Ends {
  whatsapp: WhatsApp;
  hotbags: HotBags;
  close(): Promise<void>;
}

export async function startEnds(): Promise<Ends> {
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  const whatsapp = await startWhatsApp();
  const close = async () => {
    await whatsapp.close();
    await hotbags.close();
  };
  return { whatsapp, hotbags, close };
}

/** Starts all four parts and resolves when a message can pass from end to end. */
export async function openShop(options: ShopOptions = {}): Promise<Shop> {
  const { log = () => {}, interrupted, sidecarEnv = {}, gatewayEnv = {}, installedIn } = options;
  const { pluginConfig = {}, pluginPath, gatewayPreload, sidecarPreload } = options;
  const accounts = options.accounts ?? [{ id: "default", number: BOT_NUMBER }];
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const stateDir = await mkdtemp(join(tmpdir(), "hotbags-sidecar-"));
    closers.push(() => rm(stateDir, { recursive: true, force: true }));
    let { ends } = options;
    if (ends === undefined) {
      const own = await startEnds();
      closers.push(own.close);
      ends = own;
    }
    const { whatsapp, hotbags } = ends;
    const port = await freePort();
    const gateway = await startGateway({
      whatsapp,
      accounts,
      sidecarUrl: `ws://127.0.0.1:${port}`,
      bridgeToken: BRIDGE_TOKEN,
      allowFrom: CUSTOMERS,
      groups: GROUPS,
      configPatch: options.configPatch,
      log,
      plugin: { config: pluginConfig, ...(pluginPath !== undefined && { path: pluginPath }) },
      ...(installedIn !== undefined && { stateDir: installedIn, plugin: "installed" }),
      env: { ...gatewayEnv, ...(gatewayPreload && preloaded(whatsapp.gatewayEnv(), gatewayPreload)) },
    });
    closers.push(() => gateway.dispose());
    const sidecar = new SidecarProcess({
      HOTBAGS_BASE_URL: hotbags.url,
      HOTBAGS_BEARER_TOKEN: BEARER_TOKEN,
      OPENCLAW_GATEWAY_URL: gateway.url,
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
      BRIDGE_LISTEN: `127.0.0.1:${port}`,
      BRIDGE_TOKEN,
      BRIDGE_STATE_DIR: stateDir,
      // Customers of a test write faster than people, on purpose.
      BRIDGE_CHAT_REPLIES_PER_MINUTE: "0",
      BRIDGE_CHAT_REPLIES_PER_HOUR: "0",
      ...(sidecarPreload && preloaded({}, sidecarPreload)),
      ...sidecarEnv,
    });
    closers.push(() => sidecar.stop());
    await options.sidecarState?.(stateDir);
    await sidecar.start();
    log("the sidecar is up; OpenClaw is starting");
    const health = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/health`);
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    // Logged in is not enough: what WhatsApp hands over before OpenClaw listens is lost.
    const listens = async () =>
      void (await Promise.all([gateway.listening(), ...accounts.map(({ id }) => whatsapp.online(undefined, id))]));
    const restartGateway = async () => {
      await gateway.start();
      await listens();
    };
    const sidecarSays = async (error: Error): Promise<never> => {
      const problems = await health().then(({ body }) => JSON.stringify(body["problems"]), String);
      throw new Error(`${error.message}; the sidecar says: ${problems}`, { cause: error });
    };
    const healthy = async () => {
      const isWell = async () => (await health()).status === 200;
      await until("the sidecar is healthy", isWell, HEALTHY_MS).catch(sidecarSays);
    };
    const start = async () => {
      await gateway.ready();
      log("OpenClaw is up; it connects to WhatsApp");
      await listens();
    };
    const ready = start().catch(sidecarSays).then(healthy);
    const givenUp = interrupted?.then(() => {
      throw new Error("interrupted");
    });
    await Promise.race(givenUp ? [ready, givenUp] : [ready]);
    const nextCustomer = handOut(CUSTOMERS, "CUSTOMERS");
    const nextGroup = handOut(GROUPS, "GROUPS");
    const newCustomer = (options?: ContactOptions) => whatsapp.contact(nextCustomer(), options);
    const newGroup = (options: GroupOptions) => whatsapp.group(nextGroup(), options);
    return {
      whatsapp,
      gateway,
      sidecar,
      hotbags,
      stateDir,
      newCustomer,
      newGroup,
      health,
      healthy,
      restartGateway,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Each of them once. @throws Error when there is none left. */
function handOut(all: readonly string[], list: string): () => string {
  const unused = [...all];
  return () => {
    const next = unused.shift();
    if (next === undefined) throw new Error(`they are all in use: make the list ${list} longer`);
    return next;
  };
}

/** The environment of a process that loads one more module, besides those that it is given. */
function preloaded(given: Record<string, string>, { module, env }: Preload) {
  return { ...env, NODE_OPTIONS: `${given["NODE_OPTIONS"] ?? ""} --import=${module}`.trim() };
}
