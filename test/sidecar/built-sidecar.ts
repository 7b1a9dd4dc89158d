import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MEDIA_PATH } from "../../shared/src/index.ts";
import { GATEWAY_TOKEN, type ScriptedGateway } from "../gateway/scripted-gateway.ts";
import type { HotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { connectPlugin, type ScriptedPlugin } from "./scripted-plugin.ts";

/** What a double of Hot Bags is to be started with. */
export const BEARER_TOKEN = "bearer-of-the-test";
export const BRIDGE_TOKEN = "bridge-token-of-the-test";

export interface BuiltSidecarOptions {
  /** The doubles at its two far ends. Nobody is there where there is none. */
  hotbags?: HotBags;
  gateway?: ScriptedGateway;
  /** On top of what it needs. */
  env?: Record<string, string>;
  /** Makes the state that it finds, in its folder. */
  state?: (dir: string) => Promise<void>;
  /** No file of it can grow beyond this, as on a full disk. */
  fileLimitKiB?: number;
  /** The command of another release. */
  cli?: string;
}

/** The sidecar as it was built, as a process of its own, with its state in a folder of its own. */
export class BuiltSidecar {
  readonly dir: string;
  readonly port: number;
  /** All that it is told. */
  readonly env: Record<string, string>;
  readonly process: SidecarProcess;

  private constructor(dir: string, port: number, nowhere: number, options: BuiltSidecarOptions) {
    const { hotbags, gateway, env = {}, fileLimitKiB, cli } = options;
    this.dir = dir;
    this.port = port;
    this.env = {
      HOTBAGS_BASE_URL: hotbags?.url ?? `http://127.0.0.1:${nowhere}`,
      HOTBAGS_BEARER_TOKEN: BEARER_TOKEN,
      OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${gateway?.port ?? nowhere}`,
      OPENCLAW_GATEWAY_TOKEN: GATEWAY_TOKEN,
      BRIDGE_LISTEN: `127.0.0.1:${port}`,
      BRIDGE_TOKEN,
      BRIDGE_STATE_DIR: dir,
      ...env,
    };
    this.process = new SidecarProcess(this.env, { fileLimitKiB, cli });
  }

  /** Makes one that is not started yet. */
  static async prepare(options: BuiltSidecarOptions = {}): Promise<BuiltSidecar> {
    const dir = mkdtempSync(join(tmpdir(), "hotbags-built-"));
    return new BuiltSidecar(dir, await freePort(), await freePort(), options);
  }

  /** Makes one, and resolves when it listens. */
  static async start(options: BuiltSidecarOptions = {}): Promise<BuiltSidecar> {
    const built = await BuiltSidecar.prepare(options);
    try {
      await options.state?.(built.dir);
      await built.process.start();
      return built;
    } catch (error) {
      await built.close();
      throw error;
    }
  }

  /** Its log so far. */
  get lines() {
    return this.process.lines;
  }

  /** Resolves when an account of a fleet's is its own to work on, or was at any time. */
  async owns(timeoutMs: number): Promise<void> {
    await this.process.logged(({ msg }) => msg === "this sidecar works on this account now", timeoutMs);
  }

  connect(): Promise<ScriptedPlugin> {
    return connectPlugin(this.port, BRIDGE_TOKEN);
  }

  /** Brings a whole file, as the plugin does. Resolves with its name. */
  async upload(bytes: Buffer): Promise<string> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const { length } = bytes;
    const { status } = await fetch(`http://127.0.0.1:${this.port}${MEDIA_PATH}${sha256}`, {
      method: "PATCH",
      headers: { authorization: `Bearer ${BRIDGE_TOKEN}`, "upload-offset": "0", "upload-length": String(length) },
      body: new Uint8Array(bytes),
    });
    if (status !== 204) throw new Error(`the sidecar answered a file with HTTP ${status}`);
    return sha256;
  }

  /** What `GET /health` says now. */
  async health<Body = { ok: boolean; problems: string[] }>(): Promise<{ status: number; body: Body }> {
    const response = await fetch(`http://127.0.0.1:${this.port}/health`);
    return { status: response.status, body: (await response.json()) as Body };
  }

  /** Stops it. Resolves with all that it has logged: what is not in there was not said. */
  async wholeLog() {
    await this.process.stop();
    return this.lines;
  }

  /** Stops it, and removes its state. */
  async close(): Promise<void> {
    await this.process.stop();
    rmSync(this.dir, { recursive: true });
  }
}
