import { GatewayClient } from "@openclaw/gateway-client";
import type { Gateway } from "./index.ts";

/** Longer than this, ms, an answer does not take, on a busy machine either. */
const PATIENCE_MS = 60_000;

/** Somebody with the gateway's token, besides the sidecar. */
export type Operator = {
  /** Asks the gateway. @throws Error with its reason if it refuses. */
  request(method: string, params: object): Promise<unknown>;
  /** Sends a text by the gateway's `send`, as the sidecar does. */
  send(to: string, message: string): Promise<void>;
  close(): Promise<void>;
};

/** Connects to a gateway that is up. @throws Error if it does not let us in. */
export async function connectOperator({ url, token }: Gateway): Promise<Operator> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const client = new GatewayClient({
    url,
    token,
    clientDisplayName: "Operator under test",
    scopes: ["operator.read", "operator.write", "operator.admin"],
    deviceIdentity: null,
    onHelloOk: () => resolve(),
    onConnectError: reject,
  });
  client.start();
  await promise;
  const request = (method: string, params: object) =>
    client.request<unknown>(method, params, { timeoutMs: PATIENCE_MS });
  return {
    request,
    async send(to, message) {
      await request("send", {
        channel: "whatsapp",
        accountId: "default",
        to,
        message,
        idempotencyKey: crypto.randomUUID(),
      });
    },
    close: () => client.stopAndWait(),
  };
}
