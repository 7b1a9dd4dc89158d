import type { ListenAddress } from "../listening/listen-address.ts";
import { PortListener } from "../listening/port-listener.ts";
import { Pages, type PagesParts } from "./pages.ts";

/** A scraper has one, a person a few. */
const MAX_CONNECTIONS = 16;
const REQUEST_TIMEOUT_MS = 10_000;

interface PagesListenerParts extends PagesParts {
  /** `BRIDGE_METRICS_LISTEN`: a port on loopback. */
  address: Exclude<ListenAddress, { path: string }>;
  retryMs?: number;
}

/** Answers what needs no token at an address of its own, for whoever can't ask at a socket, as Prometheus. */
export function pagesListener({ address, retryMs, ...parts }: PagesListenerParts): PortListener {
  const pages = new Pages(parts);
  return new PortListener({
    ...{ address, retryMs, log: parts.log, maxConnections: MAX_CONNECTIONS },
    ...{ setting: "BRIDGE_METRICS_LISTEN", what: "metrics" },
    times: { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: 5_000 },
    answer: (request, response) => pages.answer(request, response),
  });
}
