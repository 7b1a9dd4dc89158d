import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { openLink } from "./plugin-link.ts";

// What an operator sees in GET /health of a customer who hears nothing.

const BRIDGE_TOKEN = "bridge-token-of-the-health-test";
const ANNA = "+15550001001";
const BEN = "+15550001002";

interface Failure {
  at: string;
  message_id: string;
  reason: string;
}

interface Health {
  messages: {
    pending: number;
    detached: number;
    last_detached: Failure | null;
    dead: number;
    last_dead: Failure | null;
  };
  commands: { pending: number; failed: number; last_failed: Failure | null };
}

let dir: string;
let port: number;
let hotbags: HotBags;
let sidecar: SidecarProcess;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-health-"));
  port = await freePort();
  hotbags = await startHotBags({ token: "bearer" });
  sidecar = new SidecarProcess({
    HOTBAGS_BASE_URL: hotbags.url,
    HOTBAGS_BEARER_TOKEN: "bearer",
    OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${await freePort()}`,
    OPENCLAW_GATEWAY_TOKEN: "gateway",
    BRIDGE_LISTEN: `127.0.0.1:${port}`,
    BRIDGE_TOKEN,
    BRIDGE_STATE_DIR: dir,
  });
  await sidecar.start();
});
afterEach(async () => {
  await sidecar.stop();
  await hotbags.close();
  rmSync(dir, { recursive: true });
});

const askHealth = async () => (await fetch(`http://127.0.0.1:${port}/health`)).text();
const health = async () => JSON.parse(await askHealth()) as Health;

async function handIn(id: string, chat = ANNA) {
  const plugin = await openLink(port, BRIDGE_TOKEN);
  expect(await plugin.handIn(id, chat)).toMatchObject({ type: "ack" });
  plugin.socket.terminate();
}

it("has nothing to say of failures on a good day", async () => {
  await handIn("A");
  await until("it is delivered", async () => (await health()).messages.pending === 0);
  expect(await health()).toMatchObject({
    messages: { detached: 0, last_detached: null, dead: 0, last_dead: null },
    commands: { failed: 0, last_failed: null },
  });
});

it("counts refused commands, refused answers and dead letters, and says why of the last, also after a restart", async () => {
  const commands = Array.from({ length: 2_000 }, (_, n) => ({
    command_id: `c${n}`,
    type: "send_text",
    text: "a secret",
  }));
  hotbags.faultFor(
    ({ text }) => text === "text of A",
    { status: 200, body: JSON.stringify({ commands }) },
    Number.POSITIVE_INFINITY,
  );
  hotbags.faultFor(({ text }) => text === "text of B", {
    status: 200,
    body: JSON.stringify({ commands: [{ command_id: 1.5, type: "send_text", text: "a secret" }] }),
  });
  await handIn("A");
  await handIn("B", BEN);
  // An id that another chat has used already is a dead letter at once.
  await handIn("A", BEN);
  const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
  const expected = {
    messages: {
      detached: 1,
      last_detached: {
        at,
        message_id: "A",
        reason: expect.stringMatching(/commands: must not have more than 100 entries/),
      },
      dead: 1,
      last_dead: { at, message_id: "A", reason: expect.stringMatching(/already used in another chat/) },
    },
    commands: {
      failed: 1,
      last_failed: {
        at,
        message_id: "B",
        reason: expect.stringMatching(/command_id: as a number it must be a whole one/),
      },
    },
  };
  await until("both are answered", async () => {
    const { messages, commands: counts } = await health();
    return messages.detached === 1 && counts.failed === 1;
  });
  expect(await health()).toMatchObject(expected);
  await sidecar.restart();
  expect(await health()).toMatchObject(expected);
  for (const secret of ["secret", ANNA, BEN, ANNA.slice(1), BEN.slice(1), BRIDGE_TOKEN])
    expect(await askHealth()).not.toContain(secret);
});

it("counts a detached message no longer when it is delivered, and still says what was wrong", async () => {
  hotbags.faultFor(({ text }) => text === "text of A", { status: 422 }, 2);
  await handIn("A");
  // One behind it passes, so it is its own fault.
  await handIn("B");
  await until("it has stepped aside", async () => (await health()).messages.last_detached !== null);
  await until("both are delivered", async () => (await health()).messages.pending === 0);
  expect((await health()).messages).toMatchObject({
    detached: 0,
    last_detached: { message_id: "A", reason: expect.stringContaining("Hot Bags answered 422") },
  });
});
