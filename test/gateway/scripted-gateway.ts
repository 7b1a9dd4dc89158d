import { once } from "node:events";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { TESTED } from "../../shared/src/index.ts";
import { freePort } from "../hotbags/port.ts";

export const GATEWAY_TOKEN = "the-shared-token";

/** How `channels.status` describes an account that can send. */
export const CONNECTED = {
  accountId: "default",
  enabled: true,
  linked: true,
  running: true,
  connected: true,
  healthState: "healthy",
};

export type Answer = { ok: true; payload: unknown } | { ok: false; error: object } | "nothing" | "hang up";

/** The parameters of a `send`, as far as a script looks at them. */
export interface Sent {
  accountId: string;
  to: string;
  message: string;
  idempotencyKey: string;
}

/** A peer that speaks the gateway's handshake and then answers as the test says. */
export class ScriptedGateway {
  token = GATEWAY_TOKEN;
  bootId: string | undefined = "boot-1";
  /** What it says that it runs; `whatsapp` null: it has no answer to `plugins.list`. */
  versions: { openclaw: string; whatsapp: string | null } = { ...TESTED };
  scopes = ["operator.write"];
  accounts: unknown = [CONNECTED];
  /** The phone number of the account `default`; null when it isn't told. */
  number: string | null = null;
  /** Its answers to `send`, and to `message.action`. */
  send: (params: Sent) => Answer | Promise<Answer> = () => ({
    ok: true,
    payload: { runId: "c1", messageId: "WA1", channel: "whatsapp" },
  });
  /** The keys in the transcript of a session. */
  history: (sessionKey: string) => readonly string[] | Promise<readonly string[]> | null = () => null;
  /** What is in its configuration file; null: it does not show it. */
  config: object | null = null;
  /** Its answers to `web.login.start` and `web.login.wait`. */
  login: (method: string, params: Record<string, unknown>) => object | Promise<object> = () => ({ message: "no" });
  readonly asked: { method: string; params: Record<string, unknown> }[] = [];
  #server: WebSocketServer | undefined;
  port = 0;

  async start(): Promise<this> {
    this.port ||= await freePort();
    this.#server = new WebSocketServer({ host: "127.0.0.1", port: this.port });
    await once(this.#server, "listening");
    this.#server.on("connection", (socket) => {
      socket.on("message", (data) => this.#answer(socket, data));
      socket.send(
        JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: Date.now() } }),
      );
    });
    return this;
  }

  /** As a gateway that is killed; `politely`: as one that is told to stop. */
  async stop({ politely = false } = {}): Promise<void> {
    for (const socket of this.#server?.clients ?? [])
      if (politely) socket.close(1012, "service restart");
      else socket.terminate();
    await new Promise((done) => this.#server?.close(done) ?? done(null));
  }

  /** Ends, and comes back as another process of the gateway. */
  async restartAs(bootId: string, how: { politely?: boolean } = {}): Promise<void> {
    await this.stop(how);
    this.bootId = bootId;
    await this.start();
  }

  /** Tells all who are connected. */
  tell(event: string): void {
    for (const socket of this.#server?.clients ?? [])
      socket.send(JSON.stringify({ type: "event", event, payload: {} }));
  }

  /** The `send`s so far, in order. */
  get sends(): Sent[] {
    return this.asked.filter(({ method }) => method === "send").map(({ params }) => params as unknown as Sent);
  }

  async #answer(socket: WebSocket, data: RawData): Promise<void> {
    const { id, method, params } = JSON.parse(String(data));
    this.asked.push({ method, params });
    const answer = await this.#answerTo(method, params);
    if (answer === "hang up") socket.terminate();
    else if (answer !== "nothing") socket.send(JSON.stringify({ type: "res", id, ...answer }));
  }

  async #answerTo(method: string, params: { auth?: { token?: string }; sessionKey: string } & Sent): Promise<Answer> {
    if (method === "channels.status") {
      const channels = { whatsapp: { self: { e164: this.number, jid: null, lid: null } } };
      const channelDefaultAccountId = { whatsapp: "default" };
      return {
        ok: true,
        payload: { channels, channelAccounts: { whatsapp: this.accounts }, channelDefaultAccountId },
      };
    }
    if (method === "plugins.list" && this.versions.whatsapp !== null) {
      const { whatsapp: version } = this.versions;
      return { ok: true, payload: { plugins: [{ id: "telegram" }, { id: "whatsapp", version }], diagnostics: [] } };
    }
    if (method === "send" || method === "message.action") return await this.send(params);
    if (method === "config.get" && this.config !== null)
      return { ok: true, payload: { path: "/home/shop/.openclaw/openclaw.json", parsed: this.config, valid: true } };
    if (method.startsWith("web.login.")) return { ok: true, payload: await this.login(method, { ...params }) };
    const keys = method === "chat.history" ? await this.history(params.sessionKey) : null;
    if (keys) {
      const messages = keys.map((idempotencyKey) => ({ role: "assistant", idempotencyKey }));
      return { ok: true, payload: { messages } };
    }
    if (method !== "connect")
      return { ok: false, error: { code: "INVALID_REQUEST", message: `unknown method: ${method}` } };
    if (params.auth?.token !== this.token) {
      return {
        ok: false,
        error: { code: "INVALID_REQUEST", message: "unauthorized", details: { code: "AUTH_TOKEN_MISMATCH" } },
      };
    }
    const server = { version: this.versions.openclaw, connId: "c", ...(this.bootId ? { bootId: this.bootId } : {}) };
    const policy = { maxPayload: 1e6, maxBufferedBytes: 1e6, tickIntervalMs: 30_000 };
    const auth = { role: "operator", scopes: this.scopes };
    return {
      ok: true,
      payload: {
        type: "hello-ok",
        protocol: 4,
        server,
        features: { methods: [], events: [] },
        snapshot: {},
        policy,
        auth,
      },
    };
  }
}
