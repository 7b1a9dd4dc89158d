import { subscribe } from "node:diagnostics_channel";
import { beforeAll } from "vitest";
import { GATEWAY_STARTS } from "../openclaw/gateway-process.ts";

// A gateway's start is the most expensive thing that a test does, so each file says how many it needed.

declare module "vitest" {
  interface TaskMeta {
    gatewayStarts?: number;
  }
}

// biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of fixtures from it, and takes nothing else.
beforeAll(({}, suite) => {
  const { meta } = suite.file;
  subscribe(GATEWAY_STARTS, () => {
    meta.gatewayStarts = (meta.gatewayStarts ?? 0) + 1;
  });
});
