import { afterEach, beforeEach, expect, it } from "vitest";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";

// What an operator sees in GET /health of a customer who hears nothing.

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

let hotbags: HotBags;
let sidecar: BuiltSidecar;

beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  sidecar = await BuiltSidecar.start({ hotbags });
});
afterEach(async () => {
  await sidecar.close();
  await hotbags.close();
});

const health = async () => (await sidecar.health<Health>()).body;

async function handIn(id: string, chat = ANNA) {
  const plugin = await sidecar.connect();
  expect(await plugin.handIn(messageOf(id, chat))).toMatchObject({ type: "ack" });
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
    ({ text }) => text === "A",
    { status: 200, body: JSON.stringify({ commands }) },
    Number.POSITIVE_INFINITY,
  );
  hotbags.faultFor(({ text }) => text === "B", {
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
  await sidecar.process.restart();
  expect(await health()).toMatchObject(expected);
  for (const secret of ["secret", ANNA, BEN, ANNA.slice(1), BEN.slice(1), BRIDGE_TOKEN])
    expect(JSON.stringify(await health())).not.toContain(secret);
});

it("counts a detached message no longer when it is delivered, and still says what was wrong", async () => {
  hotbags.faultFor(({ text }) => text === "A", { status: 422 }, 3);
  await handIn("A");
  // One behind it passes, and it fails once more: it is its own fault.
  await handIn("B");
  await until("it has stepped aside", async () => (await health()).messages.last_detached !== null);
  await until("both are delivered", async () => (await health()).messages.pending === 0);
  expect((await health()).messages).toMatchObject({
    detached: 0,
    last_detached: { message_id: "A", reason: expect.stringContaining("Hot Bags answered 422") },
  });
});
