import { afterAll, beforeAll, describe } from "vitest";
import { close, open } from "./shop.ts";

// SIGKILL, on one gateway: a start takes 20 s of both cores.
beforeAll(open);
afterAll(close);

// First, because its ledger counts all that the far ends have seen.
describe("killed at random", async () => void (await import("./kill-loop.suite.ts")));
describe("killed at each crash point", async () => void (await import("./crash-matrix.suite.ts")));
describe("killed with what is in the outbox", async () => void (await import("./outbox-matrix.suite.ts")));
