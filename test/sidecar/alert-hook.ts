import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The operator's end of ALERT_WEBHOOK_URL. */
export interface AlertHook {
  url: string;
  /** What was posted, in order. */
  alerts: Record<string, unknown>[];
  /** What it answers; 200 unless a test sets another. */
  status: number;
  close(): void;
}

export async function startAlertHook(): Promise<AlertHook> {
  const alerts: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    alerts.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
    response.writeHead(hook.status).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const hook: AlertHook = {
    url: `http://127.0.0.1:${port}/`,
    alerts,
    status: 200,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return hook;
}
