import { afterAll, beforeAll, describe, vi } from "vitest";
import { close, open } from "./visits.ts";

// The owner's page in Debian's Chromium, before the sidecar as it was built: one shop with a million messages, and one browser,
// for all suites. `vitest run --project unit test/console -t charts` runs one of them.

vi.setConfig({ testTimeout: 180_000, hookTimeout: 300_000 });

beforeAll(open);
afterAll(close);

describe("views", async () => void (await import("./views.suite.ts")));
describe("now", async () => void (await import("./now.suite.ts")));
describe("charts", async () => void (await import("./charts.suite.ts")));
describe("messages", async () => void (await import("./messages.suite.ts")));
describe("content", async () => void (await import("./content.suite.ts")));
describe("chats", async () => void (await import("./chats.suite.ts")));
describe("sessions", async () => void (await import("./sessions.suite.ts")));
describe("relink", async () => void (await import("./relink.suite.ts")));
describe("repairs", async () => void (await import("./repairs.suite.ts")));
