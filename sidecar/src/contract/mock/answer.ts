import type { ServerResponse } from "node:http";
import type { Fault } from "./faults.ts";

const SLOW_BODY_INTERVAL_MS = 20;
const ENDLESS_CHUNK = Buffer.alloc(64 * 1024, " ");

/** Writes `body` with `status`, spoiled by the fault. Returns the status the client can see, or undefined if it sees none. */
export function writeAnswer(response: ServerResponse, status: number, body: string, fault?: Fault): number | undefined {
  // stop(), or the client, can cut the connection while the answer is worked out; "close" would then never come again.
  if (response.destroyed) return undefined;
  if (fault === undefined) return writeJson(response, status, body);
  if (typeof fault === "string") return writeSpoiled(response, status, body, fault);
  if ("delayMs" in fault) {
    const timer = setTimeout(() => writeJson(response, status, body), fault.delayMs);
    response.once("close", () => clearTimeout(timer));
    return status;
  }
  if ("bytes" in fault) {
    response.socket?.end(fault.bytes);
    return undefined;
  }
  if ("redirect" in fault) {
    response.writeHead(fault.status ?? 307, { location: fault.redirect }).end();
    return fault.status ?? 307;
  }
  const retryAfter = "retryAfter" in fault ? { "retry-after": String(fault.retryAfter) } : {};
  response.writeHead(fault.status, { "content-type": "application/json", ...retryAfter, ...fault.headers });
  response.end(fault.body ?? "");
  return fault.status;
}

function writeJson(response: ServerResponse, status: number, body: string): number {
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
  return status;
}

function writeSpoiled(
  response: ServerResponse,
  status: number,
  body: string,
  fault: Extract<Fault, string>,
): number | undefined {
  switch (fault) {
    case "drop":
    case "drop-after-processing":
      response.destroy();
      return undefined;
    case "hang":
    case "hang-after-processing":
      return undefined;
    case "truncate": {
      const bytes = Buffer.from(body);
      response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
      return status;
    }
    case "slow-body": {
      response.writeHead(status, { "content-type": "application/json" }).write(" ");
      const timer = setInterval(() => response.write(" "), SLOW_BODY_INTERVAL_MS);
      response.once("close", () => clearInterval(timer));
      return status;
    }
    case "endless-body": {
      response.writeHead(status, { "content-type": "application/json" });
      const pour = (): void => {
        while (!response.destroyed && response.write(ENDLESS_CHUNK));
      };
      response.on("drain", pour);
      pour();
      return status;
    }
  }
}
