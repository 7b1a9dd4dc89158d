import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../hotbags/port.ts";
import { temporaryFolder } from "../setup/temporary-folder.ts";
import { startCaretaker } from "./caretaker.ts";
import { type ConfigPatch, exampleConfig, type GatewayConfig, type PluginUnderTest, writeConfig } from "./config.ts";
import { gatewayEnvironment } from "./environment.ts";
import { type Exit, type GatewayProcess, runGateway } from "./gateway-process.ts";
import { createLogTail } from "./log-tail.ts";
import { configPath } from "./places.ts";
import { copyStateTemplate } from "./state-template.ts";

/** A start takes 10 s on an idle machine, and several times that on a busy one. */
const DEFAULT_READY_MS = 180_000;
const DEFAULT_LOGGED_MS = 10_000;

/** Of memory, for a gateway's folder: it takes 130 MB, most of it the 6,000 files that OpenClaw copies of its plugins at each start. */
const MEMORY_NEEDED_BYTES = 2 * 1024 ** 3;

/** What a gateway needs of a WhatsApp double. */
export type LinkableWhatsApp = {
  gatewayEnv(): Record<string, string>;
  link(stateDir: string, account: { number: string; accountId: string }): Promise<void>;
};

/** A WhatsApp account of the gateway: OpenClaw's name for it, and its number in E.164. */
export type BotAccount = { id: string; number: string };

export type GatewayOptions = {
  /** The WhatsApp that the gateway talks to, as `number`. Without it no account is linked. */
  whatsapp?: LinkableWhatsApp;
  /** The bot's number, E.164. */
  number?: string;
  /** Default `default`. */
  accountId?: string;
  /** Several bots on one gateway, in place of `number` and `accountId`. */
  accounts?: readonly BotAccount[];
  /** Default: this repository's plugin, which must be built. `none`: a gateway without it. `installed`: the state folder's. */
  plugin?: PluginUnderTest | "none" | "installed";
  sidecarUrl: string;
  bridgeToken: string;
  /** Numbers, E.164, that may write to the bot. Default: the example's. */
  allowFrom?: readonly string[];
  /** Groups, by id, that the bot listens to. Default: the example's. */
  groups?: readonly string[];
  /** A state folder to start with and to leave in place; made from the template if it is empty. Default: one of its own. */
  stateDir?: string;
  configPatch?: ConfigPatch | undefined;
  /** On top of the environment that all gateways get. */
  env?: Record<string, string>;
  /** Gets a line when something takes long. */
  log?: (line: string) => void;
};

/** The real `openclaw gateway`, on this repository's openclaw.json.example. */
export type Gateway = {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly stateDir: string;
  /** The configuration file. OpenClaw watches it: see `configure`. */
  readonly configPath: string;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  /** The last 5,000 lines of what it said, over all its runs. */
  readonly logs: readonly string[];
  /**
   * Resolves when plugins are loaded, HTTP is up and the channels were told to start (WhatsApp itself: `whatsapp.online()`). Rejects
   * with the last lines of its log when it ended, failed to start, or took longer than `timeoutMs` (default 180 s).
   */
  ready(options?: { timeoutMs?: number }): Promise<void>;
  /**
   * Resolves when WhatsApp is connected and messages are taken, for the first time since the start; rejects like `ready`. OpenClaw
   * attaches its listener some time after the login, and loses what comes in between, so `whatsapp.online()` is too early on a busy machine.
   */
  listening(options?: { timeoutMs?: number }): Promise<void>;
  /** Calls the listener with each line of its log from now on. Returns how to stop that. */
  onLine(listener: (line: string) => void): () => void;
  /** Resolves with the next line of its log that matches, within `timeoutMs` (default 10 s). */
  logged(pattern: RegExp, options?: { timeoutMs?: number }): Promise<string>;
  /** Changes the configuration file, which a running gateway notices and applies. */
  configure(patch: ConfigPatch): Promise<void>;
  /** SIGTERM; resolves when it has ended, after 20 s by SIGKILL. */
  stop(): Promise<Exit | undefined>;
  /** SIGKILL for it and its helpers; resolves when it has ended. */
  kill(): Promise<Exit | undefined>;
  /** Starts it again with the same state, port and configuration. Does not wait until it is ready. */
  start(): Promise<void>;
  /** Stops it and removes its folder, though not a `stateDir` that was given. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * Starts a gateway, and resolves as soon as its process runs: `ready()` tells when it is up. Whatever happens to this process, the
 * gateway and its folder do not outlive it.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { log = () => {} } = options;
  const accounts = accountsOf(options);
  const root = await mkdtemp(join(temporaryFolder(MEMORY_NEEDED_BYTES), "hotbags-gateway-"));
  const caretaker = startCaretaker(root);
  try {
    const stateDir = options.stateDir ?? join(root, "state");
    if (!existsSync(join(stateDir, "state"))) await copyStateTemplate(stateDir, log);
    for (const account of accounts) await link(options, stateDir, account);
    const port = await freePort();
    const token = randomBytes(24).toString("base64url");
    const config = await exampleConfig({
      port,
      root,
      accountIds: accounts.map(({ id }) => id),
      plugin: options.plugin ?? {},
      sidecarUrl: options.sidecarUrl,
      allowFrom: options.allowFrom,
      groups: options.groups,
      configPatch: options.configPatch,
    });
    await writeConfig(configPath(root), config);
    const env = await gatewayEnvironment(
      root,
      stateDir,
      { OPENCLAW_GATEWAY_TOKEN: token, BRIDGE_TOKEN: options.bridgeToken },
      options.whatsapp?.gatewayEnv() ?? {},
      options.env ?? {},
    );
    const gateway = control({ root, stateDir, port, token, config, env, caretaker });
    await gateway.start();
    return gateway;
  } catch (error) {
    await caretaker.cleanUp();
    throw error;
  }
}

type Parts = {
  root: string;
  stateDir: string;
  port: number;
  token: string;
  config: GatewayConfig;
  env: Record<string, string>;
  caretaker: ReturnType<typeof startCaretaker>;
};

function control({ root, stateDir, port, token, config, env, caretaker }: Parts): Gateway {
  const tail = createLogTail();
  let written = config;
  let running: GatewayProcess | undefined;
  const current = (): GatewayProcess => {
    if (running === undefined) throw new Error(`the gateway is down\n${tail.show()}`);
    return running;
  };

  const end = async (how: "stop" | "kill"): Promise<Exit | undefined> => running?.[how]();
  const dispose = async (): Promise<void> => {
    await end("stop");
    await caretaker.cleanUp();
  };

  return {
    url: `ws://127.0.0.1:${port}`,
    port,
    token,
    stateDir,
    configPath: configPath(root),
    logs: tail.lines,
    onLine: tail.onLine,
    get pid() {
      return running?.pid;
    },
    ready: async ({ timeoutMs = DEFAULT_READY_MS } = {}) => current().ready(timeoutMs),
    listening: async ({ timeoutMs = DEFAULT_READY_MS } = {}) => current().listening(timeoutMs),
    async logged(pattern, { timeoutMs = DEFAULT_LOGGED_MS } = {}) {
      const { line, stop } = tail.next(pattern);
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        reject(new Error(`the gateway did not log ${pattern} within ${timeoutMs} ms\n${tail.show()}`));
      }, timeoutMs);
      return Promise.race([line, late]).finally(() => {
        clearTimeout(timer);
        stop();
      });
    },
    async configure(patch) {
      written = patch(written) ?? written;
      await writeConfig(configPath(root), written);
    },
    stop: () => end("stop"),
    kill: () => end("kill"),
    async start() {
      if (running !== undefined) throw new Error(`the gateway runs already, as process ${running.pid}`);
      const started = runGateway(root, env, tail);
      running = started;
      caretaker.watch(started.pid);
      void started.exit.then(() => {
        running = undefined;
        caretaker.watch(undefined);
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function accountsOf({ whatsapp, number, accountId = "default", accounts }: GatewayOptions): readonly BotAccount[] {
  if (accounts !== undefined) return accounts;
  if (number !== undefined) return [{ id: accountId, number }];
  if (whatsapp !== undefined) throw new Error("a gateway with WhatsApp needs the bot's number");
  return [];
}

/** Links the account, unless the state folder comes from an earlier gateway and has its credentials. */
async function link({ whatsapp }: GatewayOptions, stateDir: string, { id, number }: BotAccount): Promise<void> {
  if (whatsapp === undefined) return;
  if (existsSync(join(stateDir, "credentials", "whatsapp", id, "creds.json"))) return;
  await whatsapp.link(stateDir, { number, accountId: id });
}
