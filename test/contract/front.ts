import { createServer, type IncomingHttpHeaders, request as send } from "node:http";
import { buffer } from "node:stream/consumers";

/** What comes in, before the mock gets it. */
export interface Incoming {
  /** The message's name in the run of a check: `kind-audio`; `ping` of a HEAD. */
  name: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** How often this name came before. */
  before: number;
}

/** An answer in place of the mock's. `drop`: the connection is cut, and `close`: nobody listens any more. */
export interface Instead {
  status: number | "drop" | "close";
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** What is wrong with a backend: it answers itself, changes what the mock gets by changing the headers, or does nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: one that only changes headers returns nothing.
export type Wrong = (incoming: Incoming) => Instead | undefined | void | Promise<Instead | undefined>;

export interface Front extends AsyncDisposable {
  url: string;
}

/** Stands before a mock that does all right, and does one thing wrong. */
export async function startFront(mockUrl: string, wrong: Wrong): Promise<Front> {
  const seen = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const key = request.method === "HEAD" ? "ping" : String(request.headers["idempotency-key"]);
    const name = key.replace(/^CHECK-[0-9a-f]+-/, "");
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    const { headers } = request;
    const instead = await wrong({ name, headers, body, before });
    if (instead?.status === "drop" || instead?.status === "close") {
      response.destroy();
      if (instead.status === "close") server.close();
      return;
    }
    if (instead) {
      const { status, headers: more, body: text } = instead;
      response.writeHead(status, { "content-type": "application/json", ...more }).end(text);
      return;
    }
    const forwarded = send(mockUrl + request.url, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    forwarded.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it does not listen");
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
