import { expect } from "vitest";
import type { LogLine } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";
import { RawBackend } from "./raw-backend.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

/** The bearer token that it was started with. */
export const BEARER = "bearer-of-the-rules-test";

export interface Health {
  ok: boolean;
  problems: string[];
  hotbags: { reachable: boolean; last_success_at: string | null; last_failure: string | null };
  messages: { pending: number; delivered: number; detached: number; dead: number };
}

type Env = Record<string, string>;

/** The built sidecar between a scripted plugin and a backend that answers with the bytes a test says. */
export class RawShop {
  readonly backend: RawBackend;
  readonly #sidecar: BuiltSidecar;
  readonly #plugin: ScriptedPlugin;

  private constructor(backend: RawBackend, sidecar: BuiltSidecar, plugin: ScriptedPlugin) {
    this.backend = backend;
    this.#sidecar = sidecar;
    this.#plugin = plugin;
  }

  /** `env`: on top of what it needs, from the backend that it is to have. An answer may take 2 s. */
  static async start(env: (backend: RawBackend) => Env | Promise<Env> = () => ({})): Promise<RawShop> {
    const backend = await new RawBackend().start();
    const ours = { HOTBAGS_BASE_URL: backend.url, HOTBAGS_BEARER_TOKEN: BEARER, HOTBAGS_TIMEOUT: "2" };
    const sidecar = await BuiltSidecar.start({ env: { ...ours, ...(await env(backend)) } });
    return new RawShop(backend, sidecar, await sidecar.connect());
  }

  /** Its log so far. */
  get lines(): LogLine[] {
    return this.#sidecar.lines;
  }

  /** Stops the sidecar. Resolves with all that it has logged. */
  wholeLog(): Promise<LogLine[]> {
    return this.#sidecar.wholeLog();
  }

  get alarms(): LogLine[] {
    return this.lines.filter(({ alarm }) => alarm === true);
  }

  /** Resolves with the first alarm that matches. */
  alarmAbout(matches: (line: LogLine) => boolean): Promise<LogLine> {
    return until("the alarm is in the log", () => this.alarms.find(matches));
  }

  async health(): Promise<Health> {
    return (await this.#sidecar.health<Health>()).body;
  }

  /** Resolves when this many messages were delivered. */
  async delivered(count: number, withinMs = 20_000): Promise<void> {
    await until(`${count} are taken`, async () => (await this.health()).messages.delivered === count, withinMs);
  }

  /** Resolves when it is said that Hot Bags takes nothing. */
  async knownAsAway(): Promise<void> {
    await until("it is known", async () => !(await this.health()).hotbags.reachable);
  }

  async handIn(id: string, to: string, more: Parameters<typeof messageOf>[2] = {}): Promise<void> {
    const ack = await this.#plugin.handIn(messageOf(id, to, { text: textOf(id), ...more }));
    expect(ack).toMatchObject({ type: "ack" });
  }

  async close(): Promise<void> {
    this.#plugin.socket.terminate();
    await this.#sidecar.process.kill();
    await this.#sidecar.close();
    await this.backend.stop();
  }
}

/** The number of the n-th chat. */
export const chat = (n: number) => `+1555000${String(1_000 + n)}`;

export const textOf = (id: string) => `text of ${id}`;
