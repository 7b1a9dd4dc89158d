import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { GatewayConfig } from "./config.ts";

/** A model on loopback behind the API of OpenAI: one that a shop might have configured for something else. */
export type Model = {
  /** How often it was asked for words. */
  readonly asked: number;
  /** Makes it the gateway's model, with its key. */
  configure(config: GatewayConfig): void;
  /** Takes it away again. */
  remove(config: GatewayConfig): void;
  close(): Promise<void>;
};

type AgentDefaults = { model?: { primary: string }; heartbeat: { every: string; target?: string } };

export async function startModel(): Promise<Model> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      // Another text each time: OpenClaw keeps an alert to itself that says what the last one did.
      response.write(chunk({ role: "assistant", content: `I am only a language model, asked ${asked} times.` }, null));
      response.write(chunk({}, "stop"));
      response.end("data: [DONE]\n\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    get asked() {
      return asked;
    },
    configure(config) {
      agentDefaults(config).model = { primary: "stub/stub" };
      config["models"] = { ...(config["models"] as object), providers: { stub: provider(port) } };
    },
    remove(config) {
      delete agentDefaults(config).model;
      delete (config["models"] as Record<string, unknown>)["providers"];
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** The part of a configuration in which models and heartbeats are set. */
export function agentDefaults(config: GatewayConfig): AgentDefaults {
  return (config["agents"] as { defaults: AgentDefaults }).defaults;
}

function chunk(delta: object, finish_reason: string | null): string {
  const choices = [{ index: 0, delta, finish_reason }];
  return `data: ${JSON.stringify({ id: "stub", object: "chat.completion.chunk", created: 1, model: "stub", choices })}\n\n`;
}

function provider(port: number) {
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  const limits = { contextWindow: 128_000, maxTokens: 4_096 };
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    apiKey: "a-key",
    api: "openai-completions",
    models: [{ id: "stub", name: "stub", reasoning: false, input: ["text"], cost, ...limits }],
  };
}
