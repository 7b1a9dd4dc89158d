import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { close, open, shop } from "./shop.ts";

// All suites that need no gateway of their own: a start takes 20 s of both cores. Each test has customers and groups of its own, so
// that none depends on another. `vitest run --project gateway one-gateway -t "replies"` runs one of them.
beforeAll(open);
afterAll(close);
afterEach(() => {
  expect(shop.hotbags.violations).toEqual([]);
  shop.hotbags.clearFaults();
  shop.hotbags.answers(() => []);
});

// The examples in docs/contract are of the first customers and groups that the shop hands out.
describe("kinds", async () => void (await import("./kinds.suite.ts")));
describe("reply texts", async () => void (await import("./reply-texts.suite.ts")));
describe("what only some bridges take", async () => void (await import("./commands.suite.ts")));
describe("replies", async () => void (await import("./replies.suite.ts")));
describe("a locked number", async () => void (await import("./time-lock.suite.ts")));
describe("the whole way", async () => void (await import("./the-whole-way.suite.ts")));
describe("media", async () => void (await import("./media.suite.ts")));
describe("restarts", async () => void (await import("./restarts.suite.ts")));
describe("watches", async () => void (await import("./watches.suite.ts")));
describe("alerts", async () => void (await import("./alerts.suite.ts")));
describe("drops", async () => void (await import("./drops.suite.ts")));
describe("the outbox", async () => void (await import("./outbox.suite.ts")));
describe("hotbags doctor", async () => void (await import("./doctor.suite.ts")));
// Leaves one of the two accounts logged out, and the other linked to another phone.
describe("accounts", async () => void (await import("./accounts.suite.ts")));
// Links it again.
describe("hotbags relink", async () => void (await import("./relink.suite.ts")));
