import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import type { Migration } from "../../sidecar/src/store/postgres/migrations/index.ts";
import type { Failpoint } from "../crash/failpoint.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { startHotBags } from "../hotbags/index.ts";
import { BEARER_TOKEN } from "../sidecar/built-sidecar.ts";
import { ANNA, BEN } from "../sidecar/message.ts";
import { until } from "../until.ts";
import type { BridgeOptions, Told } from "./bridge.child.ts";
import { type Databases, through } from "./databases.ts";

const CHILD = fileURLToPath(new URL("./bridge.child.ts", import.meta.url));
const TTL_MS = 3_000;
const PATIENCE_MS = 60_000;

let sends = 0;

/** The gateway has sent it. */
export const ok = () => ({
  ok: true as const,
  payload: { runId: "r", messageId: `WA${++sends}`, channel: "whatsapp" },
});

interface SidecarOptions {
  /** Its way to the database, if it is not the shop's. */
  its?: string;
  /** Where it is killed, once that is armed. */
  crash?: Failpoint;
  /** It is of a newer release, that does this with the tables. */
  newer?: readonly Migration[];
}

export type Shop = Awaited<ReturnType<typeof openShop>>;

/**
 * A shop with an account, its Hot Bags, which answers each message, its gateway, and the sidecars that may work on it, each in
 * a process of its own. `way`: the folder of the socket through which they and the shop reach the database, if it is not the
 * server's.
 */
export async function openShop(databases: Databases, { way = databases.host } = {}) {
  const made = await databases.make();
  const url = through(way, made);
  const stateDir = mkdtempSync(join(tmpdir(), "hotbags-shop-"));
  const children: ChildProcess[] = [];
  let isNewer = false;
  const connection = new Connection({ url, connections: 1 });
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [
    { command_id: `re-${message_id}`, type: "send_text", text: `re ${message_id}` },
  ]);
  const gateway = await new ScriptedGateway().start();
  gateway.send = ok;
  return {
    hotbags,
    gateway,
    /** The address of its database. */
    url,
    /** The replies of a chat that the gateway was asked to send, in order. */
    sentTo: (chat: string) => gateway.sends.filter(({ to }) => to === chat).map(({ idempotencyKey }) => idempotencyKey),
    /** The messages of a chat that Hot Bags has, in order. */
    acceptedOf: (chat: string) =>
      hotbags.accepted.filter(({ chat_id }) => chat_id === chat).map(({ message_id }) => message_id),
    /** The sidecar has seen what the gateway says of its accounts now: who asks again has had the answer before. */
    async looks() {
      const polls = () => gateway.asked.filter(({ method }) => method === "channels.status").length;
      const before = polls();
      await until("the gateway was asked for its status", () => polls() >= before + 2, PATIENCE_MS);
    },
    sends: (count: number) =>
      until(`${count} replies are handed over`, () => gateway.sends.length >= count, PATIENCE_MS),
    /** Hot Bags was asked to take this message, so many times. */
    posts: (id: string, count = 1) =>
      until(
        `${id} is POSTed`,
        () => hotbags.requests.filter(({ body }) => body?.message_id === id).length >= count,
        PATIENCE_MS,
      ),
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
    /** The last that a transaction of a sidecar writes is not to be had until it is released. */
    async lockCounters() {
      const [locked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const holder = new Connection({ url, connections: 1, idleMs: 0 });
      const held = holder.transaction(async (tx) => {
        await tx.rows("SELECT 1 FROM counters FOR UPDATE");
        locked.resolve();
        await released.promise;
      });
      await locked.promise;
      return {
        isWaitedFor: () =>
          until(
            "a sidecar waits for it",
            async () =>
              (await connection.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).length > 0,
            PATIENCE_MS,
          ),
        async release() {
          released.resolve();
          await held;
          await holder.close();
        },
      };
    },
    /** The time of all leases is over, without a wait. */
    endLeases: () => connection.rows("UPDATE leases SET expires_at = '-infinity'"),
    /** Messages and replies that wait, or of which nobody knows what became of them. */
    async unsettled() {
      const [row] = await connection.rows<{ n: number }>(
        `SELECT (SELECT count(*) FROM messages WHERE state = 'pending')
           + (SELECT count(*) FROM commands WHERE state IN ('pending', 'sending', 'in_doubt')) AS n`,
      );
      return row?.n;
    },
    /** A sidecar of the account. */
    sidecar(owner: string, { its = way, crash, newer = [] }: SidecarOptions = {}) {
      isNewer ||= newer.length > 0;
      const options: BridgeOptions = {
        ...{ url: through(its, made), owner, stateDir, ttlMs: TTL_MS, newer },
        ...{ hotbags: hotbags.url, gatewayPort: gateway.port },
      };
      const armed = crash && { execArgv: ["--import", crash.module], env: { ...process.env, ...crash.env } };
      const child = fork(CHILD, [JSON.stringify(options)], armed);
      const ended = once(child, "exit");
      children.push(child);
      const told: Told[] = [];
      child.on("message", (one) => void told.push(one as Told));
      const count = (what: string) => told.filter((one) => what in one).length;
      const isAccepted = (id: string) => told.some((one) => "accepted" in one && one.accepted === id);
      /** The plugin hands a message in, with its id as text if it has no other. Resolves with whether it was acknowledged. */
      async function hands(id: string, chat: string, text = id): Promise<boolean> {
        const refusals = () => told.filter((one) => "refused" in one && one.refused === id).length;
        const before = refusals();
        child.send({ id, chat, text });
        await until(`${owner} has answered for ${id}`, () => isAccepted(id) || refusals() > before, PATIENCE_MS);
        return isAccepted(id);
      }
      return {
        get alarms() {
          return told.flatMap((one) => ("alarm" in one ? one.alarm : []));
        },
        signal: (signal: NodeJS.Signals) => child.kill(signal),
        kill: () => kill(child),
        /** Resolves with the signal that has ended it. */
        ended: async () => (await ended)[1] as NodeJS.Signals | null,
        /** It ends by itself. Resolves with the exit code, and with what it says. */
        async endsItself() {
          const [code] = await ended;
          return [code, told.flatMap((one) => ("unusable" in one ? one.unusable : [])).join()];
        },
        /** The plugin hands a message in, whatever comes of it. */
        offers: (id: string, chat: string) => void child.send({ id, chat }),
        /** It has started. */
        isUp: () => until(`${owner} is up`, () => count("up") > 0, PATIENCE_MS),
        owns: (times = 1) => until(`${owner} owns the account`, () => count("owns") >= times, PATIENCE_MS),
        lost: () => until(`${owner} has lost the account`, () => count("lost") > 0, PATIENCE_MS),
        isAccepted,
        hands,
        /** As the plugin: again, until it is acknowledged. */
        accepts: (id: string, chat: string, text = id) =>
          until(`${owner} has accepted ${id}`, () => hands(id, chat, text), PATIENCE_MS),
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map(kill));
      await gateway.stop();
      await hotbags.close();
      await connection.close();
      // One that a newer release has changed is nobody else's.
      if (!isNewer) databases.giveBack(made);
      rmSync(stateDir, { recursive: true });
    },
  };
}

/** Two messages of each customer, and their answers: each once, and in order. */
export function expectEachOnce(shop: Shop): void {
  expect([shop.acceptedOf(ANNA), shop.acceptedOf(BEN)]).toEqual([
    ["a1", "a2"],
    ["b1", "b2"],
  ]);
  expect([shop.sentTo(ANNA), shop.sentTo(BEN)]).toEqual([
    ["re-a1", "re-a2"],
    ["re-b1", "re-b2"],
  ]);
}

/** Anna's reply is being sent and Ben's message POSTed, neither of which is answered until the test says so. */
export function underWay(shop: Shop) {
  const [sent, posted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  shop.gateway.send = async ({ idempotencyKey }) => {
    if (idempotencyKey === "re-a1") await sent.promise;
    return ok();
  };
  shop.hotbags.answers(async ({ message_id }) => {
    if (message_id === "b1") await posted.promise;
    return [{ command_id: `re-${message_id}`, type: "send_text", text: `re ${message_id}` }];
  });
  return {
    async begins(sidecar: ReturnType<Shop["sidecar"]>) {
      await sidecar.accepts("a1", ANNA);
      await shop.sends(1);
      await sidecar.accepts("b1", BEN);
      await shop.posts("b1");
    },
    async isAnswered() {
      sent.resolve();
      posted.resolve();
      await until("Hot Bags has answered", () => shop.acceptedOf(BEN).length > 0, PATIENCE_MS);
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
