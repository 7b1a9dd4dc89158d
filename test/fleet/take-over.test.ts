import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { startHotBags } from "../hotbags/index.ts";
import { BEARER_TOKEN } from "../sidecar/built-sidecar.ts";
import { ANNA, BEN } from "../sidecar/message.ts";
import { until } from "../until.ts";
import type { BridgeOptions, Told } from "./bridge.child.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// Two sidecars on one store, beside one gateway: whatever becomes of the one that works on the account, the other goes on where
// it was. Each message reaches Hot Bags once by its key and in its chat's order, and no reply goes out twice.

const CHILD = fileURLToPath(new URL("./bridge.child.ts", import.meta.url));
const TTL_MS = 3_000;
const PATIENCE_MS = 60_000;

let databases: Databases | string;
let stateDir: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "hotbags-take-over-"));
  return async () => {
    await Promise.all(children.splice(0).map(kill));
    rmSync(stateDir, { recursive: true });
  };
});

describe("the sidecar that works on an account", { timeout: 240_000 }, () => {
  it("is killed while Hot Bags is down: another one delivers what waits, and sends the replies", async (test) => {
    await using shop = await open(test);
    const first = shop.sidecar("first");
    await first.owns();
    await shop.hotbags.stop();
    for (const id of ["a1", "a2", "a3"]) await first.accepts(id, ANNA);
    for (const id of ["b1", "b2"]) await first.accepts(id, BEN);
    const second = shop.sidecar("second");
    await first.kill();
    await second.owns();
    await shop.hotbags.start();
    await shop.sends(5);
    await second.accepts("a4", ANNA);
    await shop.sends(6);
    expect(shop.acceptedOf(ANNA)).toEqual(["a1", "a2", "a3", "a4"]);
    expect(shop.acceptedOf(BEN)).toEqual(["b1", "b2"]);
    expect(shop.sentTo(ANNA)).toEqual(["re-a1", "re-a2", "re-a3", "re-a4"]);
    expect(shop.sentTo(BEN)).toEqual(["re-b1", "re-b2"]);
    expect(second.alarms).toEqual([]);
  });

  it("is killed while the gateway sends a reply: that is in doubt, goes out once, and what follows comes behind it", async (test) => {
    await using shop = await open(test);
    shop.gateway.history = () => ["re-a1"];
    shop.gateway.send = () => "nothing";
    const first = shop.sidecar("first");
    await first.owns();
    await first.accepts("a1", ANNA);
    await shop.sends(1);
    const second = shop.sidecar("second");
    await first.kill();
    shop.gateway.send = ok;
    await second.owns();
    await second.accepts("a2", ANNA);
    await shop.sends(2);
    expect(shop.sentTo(ANNA)).toEqual(["re-a1", "re-a2"]);
    await shop.settles("sent", "sent");
  });

  it("is stopped and woken: it has let the account go, says nothing wrong, and takes it back when the other is gone", async (test) => {
    await using shop = await open(test);
    const first = shop.sidecar("first");
    await first.owns();
    await first.accepts("a1", ANNA);
    await shop.settles("sent");
    const second = shop.sidecar("second");
    first.signal("SIGSTOP");
    await second.owns();
    await second.accepts("a2", ANNA);
    await shop.settles("sent", "sent");
    first.signal("SIGCONT");
    await first.lost();
    await second.accepts("a3", ANNA);
    await shop.settles("sent", "sent", "sent");
    await second.kill();
    await first.owns(2);
    await first.accepts("a4", ANNA);
    await shop.sends(4);
    expect(shop.acceptedOf(ANNA)).toEqual(["a1", "a2", "a3", "a4"]);
    expect(shop.sentTo(ANNA)).toEqual(["re-a1", "re-a2", "re-a3", "re-a4"]);
    expect(first.alarms).toEqual([]);
  });
});

const ok = () => ({ ok: true as const, payload: { runId: "r", messageId: `WA${++sends}`, channel: "whatsapp" } });
let sends = 0;

/** A shop with an account, its Hot Bags, its gateway, and the sidecars that may work on it. */
async function open(test: Pick<TestContext, "skip">) {
  const here = running(test, databases);
  const url = await here.make();
  const connection = new Connection({ url, connections: 1 });
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id, text }) => [
    { command_id: `re-${message_id}`, type: "send_text", text: `re ${text}` },
  ]);
  const gateway = await new ScriptedGateway().start();
  gateway.send = ok;
  const sentTo = (chat: string) =>
    gateway.sends.filter(({ to }) => to === chat).map(({ idempotencyKey }) => idempotencyKey);
  return {
    hotbags,
    gateway,
    sentTo,
    acceptedOf: (chat: string) =>
      hotbags.accepted.filter(({ chat_id }) => chat_id === chat).map(({ message_id }) => message_id),
    sends: (count: number) =>
      until(`${count} replies are handed over`, () => gateway.sends.length >= count, PATIENCE_MS),
    /** The store knows of each command that it is in this state. */
    settles: (...states: string[]) =>
      until(
        `the commands are ${states}`,
        async () => {
          const rows = await connection.rows<{ state: string }>("SELECT state FROM commands ORDER BY id");
          return rows.map(({ state }) => state).join() === states.join();
        },
        PATIENCE_MS,
      ),
    sidecar(owner: string) {
      const options: BridgeOptions = {
        ...{ url, owner, stateDir, ttlMs: TTL_MS },
        ...{ hotbags: hotbags.url, gatewayPort: gateway.port },
      };
      const child = fork(CHILD, [JSON.stringify(options)]);
      children.push(child);
      const told: Told[] = [];
      child.on("message", (one) => void told.push(one as Told));
      const count = (what: string) => told.filter((one) => what in one).length;
      return {
        get alarms() {
          return told.flatMap((one) => ("alarm" in one ? one.alarm : []));
        },
        signal: (signal: NodeJS.Signals) => child.kill(signal),
        kill: () => kill(child),
        owns: (times = 1) => until(`${owner} owns the account`, () => count("owns") >= times, PATIENCE_MS),
        lost: () => until(`${owner} has lost the account`, () => count("lost") > 0, PATIENCE_MS),
        async accepts(id: string, chat: string) {
          child.send({ id, chat });
          const isAccepted = () => told.some((one) => "accepted" in one && one.accepted === id);
          await until(`${owner} has accepted ${id}`, isAccepted, PATIENCE_MS);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(children.splice(0).map(kill));
      await gateway.stop();
      await hotbags.close();
      await connection.close();
      here.giveBack(url);
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
