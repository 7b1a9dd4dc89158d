import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { TESTED, VERSION } from "../../shared/src/index.ts";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { connectPlugin } from "./scripted-plugin.ts";

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

interface Check {
  name: string;
  account?: string;
  ok: boolean;
  value: unknown;
  since: string;
  advice: string | null;
}

interface Versions {
  ok: boolean;
  problems: string[];
  versions: { sidecar: string; plugin: string | null; openclaw: string | null; whatsapp: string | null };
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

it("is alive, whatever is wrong: a restart mends nothing of it", async () => {
  const live = await fetch(`http://127.0.0.1:${sidecar.port}/health/live`);
  expect([live.status, await live.json()]).toEqual([200, { ok: true }]);
  expect((await sidecar.health()).status).toBe(503);
  expect((await fetch(`http://127.0.0.1:${sidecar.port}/health/live`, { method: "POST" })).status).toBe(405);
});

it("has each check with its value, since when, and what to do", async () => {
  const checks = async () => (await sidecar.health<{ checks: Check[] }>()).body.checks;
  const check = async (name: string) => (await checks()).find((one) => one.name === name);
  const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
  const plugin = await check("plugin");
  expect(plugin).toEqual({
    ...{ name: "plugin", ok: false, value: null, since: at },
    advice: expect.stringContaining("it is a part of the gateway"),
  });
  expect(await check("plugin")).toEqual(plugin);
  expect(await check("ledger")).toEqual({ name: "ledger", ok: true, value: 0, since: at, advice: null });
  // That there was nothing to send is healthy.
  expect(await check("hot_bags_last_success_minutes")).toMatchObject({ ok: true, value: null });
  await handIn("A");
  await until("it is delivered", async () => (await check("hot_bags_last_success_minutes"))?.value === 0);
  await sidecar.process.restart();
  expect(await check("hot_bags_last_success_minutes")).toMatchObject({ ok: true, value: 0 });
});

it("shows whether each session is connected, and since when", async () => {
  const gateway = await new ScriptedGateway().start();
  onTestFinished(() => gateway.stop());
  gateway.accounts = [CONNECTED, { ...CONNECTED, accountId: "outlet", connected: false }];
  await sidecar.close();
  sidecar = await BuiltSidecar.start({ hotbags, gateway });
  const sessions = async () =>
    (await sidecar.health<{ checks: Check[] }>()).body.checks.filter(({ name }) => name === "session_connected");
  await until("both are known", async () => (await sessions()).length === 2);
  expect(await sessions()).toMatchObject([
    { account: "default", ok: true, value: true, advice: null },
    { account: "outlet", ok: false, value: false, advice: expect.stringContaining("internet connection") },
  ]);
});

it("says when the last message came", async () => {
  const last = async () => (await sidecar.health<{ messages: { last_accepted_at: string | null } }>()).body.messages;
  expect(await last()).toMatchObject({ last_accepted_at: null });
  const before = Date.now();
  await handIn("A");
  const { last_accepted_at: at } = await last();
  expect(Date.parse(String(at))).toBeGreaterThanOrEqual(before);
});

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

describe("half an update", () => {
  const tested = { plugin: VERSION, ...TESTED };
  const ofParts = async (gateway: ScriptedGateway, pluginVersion: string) => {
    await sidecar.close();
    sidecar = await BuiltSidecar.start({ hotbags, gateway });
    const plugin = await connectPlugin(sidecar.port, BRIDGE_TOKEN, pluginVersion);
    await until("all have said what they are", async () => {
      const { versions, ok } = (await sidecar.health<Versions>()).body;
      return ok && versions.plugin !== null && versions.whatsapp !== null;
    });
    const { body, status } = await sidecar.health<Versions>();
    plugin.socket.terminate();
    return { status, ...body };
  };

  const startGateway = async () => {
    const gateway = await new ScriptedGateway().start();
    onTestFinished(() => gateway.stop());
    return gateway;
  };

  it("names nothing where all is what was tested", async () => {
    const gateway = await startGateway();
    expect((await ofParts(gateway, VERSION)).versions).toEqual({
      ...{ sidecar: VERSION, ...tested, tested },
      warnings: [],
    });
  });

  it("names each part that is another one, with what was tested and what to do, and is healthy", async () => {
    const gateway = await startGateway();
    gateway.versions = { openclaw: "2026.10.1", whatsapp: "2026.8.1" };
    expect(await ofParts(gateway, "0.0.9")).toMatchObject({
      ...{ status: 200, problems: [] },
      versions: {
        ...{ sidecar: VERSION, plugin: "0.0.9", openclaw: "2026.10.1", whatsapp: "2026.8.1", tested },
        warnings: [
          expect.stringMatching(
            /^the plugin hotbags in OpenClaw is 0\.0\.9, .* tested with 0\.1\.0: install the plugin/,
          ),
          expect.stringMatching(/^OpenClaw is 2026\.10\.1, .* 2026\.9\.6: npm install -g openclaw@2026\.9\.6/),
          expect.stringMatching(
            /^OpenClaw's WhatsApp plugin is 2026\.8\.1, .*npm:@openclaw\/whatsapp@2026\.9\.6 --force/,
          ),
        ],
      },
    });
  });
});
