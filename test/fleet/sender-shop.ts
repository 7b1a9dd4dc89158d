import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, type TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { until } from "../until.ts";
import { type Databases, running, through } from "./databases.ts";

const CHILD = fileURLToPath(new URL("./sender.child.ts", import.meta.url));

/** Of a lease; renewed three times as often, and asked for as often as POLL_MS says. */
const TTL_MS = 3_000;
const POLL_MS = 100;

/** So long a machine may need that has much else to do, ms. */
const PATIENCE_MS = 60_000;

/** Instants at which a sender stops. */
type Moment = "sending:before-commit" | "sending:after-commit";

interface SenderOptions {
  /** Where the server is, if not where it is. */
  host?: string;
  stopAt?: Moment | "";
  skewMs?: number;
  /** What its gateway has. */
  accounts?: readonly string[];
}

/** The shop's account with ten thousand commands to send, and processes that may do it. */
export async function openShop(test: Pick<TestContext, "skip">, databases: Databases | string) {
  const { host } = running(test, databases);
  const url = await running(test, databases).make();
  const folder = mkdtempSync(join(tmpdir(), "hotbags-fleet-"));
  const senders: ChildProcess[] = [];
  const [gateway, hotBags] = [join(folder, "gateway"), join(folder, "hot-bags")];
  const connection = new Connection({ url, connections: 1 });
  await connection.rows(
    `INSERT INTO chats (account_id, chat_id) VALUES ('shop', '+15550001');
     INSERT INTO messages (account_id, chat, message_id, state, received_at) VALUES ('shop', 1, 'm', 'delivered', 0);
     INSERT INTO commands (account_id, seq, chat, position, command_id, text, payload_sha256, state, created_at)
     SELECT 'shop', 1, 1, n, 'c' || n, 'Yes, in red too.', '', 'pending', 0 FROM generate_series(1, 10000) n`,
  );
  const linesOf = (file: string) => (existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []);
  const sent = () => linesOf(gateway);
  const firstOf = (lines: readonly string[]) => lines.map((line) => line.split(" ")[0] ?? "");
  const idsOf = async (states: string) => {
    const rows = await connection.rows<{ command_id: string }>(
      `SELECT command_id FROM commands WHERE state IN (${states}) ORDER BY id`,
    );
    return rows.map(({ command_id }) => command_id);
  };
  return {
    host,
    sentWith: (token: number) => firstOf(sent().filter((line) => line.endsWith(` ${token}`))),
    sentBy: (name: string) => firstOf(sent().filter((line) => line.split(" ")[1] === name)),
    sender(name: string, { stopAt = "", skewMs = 0, accounts = ["shop"], ...of }: SenderOptions = {}) {
      const address = of.host === undefined ? url : through(of.host, url);
      const timing = [TTL_MS, TTL_MS / 3, POLL_MS, skewMs].map(String);
      const child = fork(CHILD, [address, name, gateway, hotBags, ...timing, accounts.join(), stopAt]);
      senders.push(child);
      const heard: unknown[] = [];
      child.on("message", (told) => heard.push(told));
      const hears = (what: string, times: number) =>
        until(`${name} ${what}`, () => heard.filter((told) => told === what).length >= times, PATIENCE_MS);
      return {
        name,
        signal: (signal: NodeJS.Signals) => child.kill(signal),
        kill: () => kill(child),
        stops: () => until(`${name} has stopped`, () => existsSync(`${gateway}.stopped`), PATIENCE_MS),
        owns: (times = 1) => hears("owns shop", times),
        /** It owns the account, and may send. */
        maySend: (times = 1) => hears("sends of shop", times),
        loses: () => hears("lost shop", 1),
      };
    },
    /** So many more, by whoever owns the account. */
    async sends(count: number) {
      const before = sent().length;
      await until(`${count} more are sent`, () => sent().length >= before + count, PATIENCE_MS);
    },
    /** A message that was acknowledged, of a chat of its own; its only reply is called as it is. */
    async waits(messageId: string) {
      await connection.rows(
        `WITH chat AS (INSERT INTO chats (account_id, chat_id) VALUES ('shop', $1) RETURNING chat),
           message AS (INSERT INTO messages (account_id, chat, message_id, state, received_at, has_text)
             SELECT 'shop', chat, $1, 'pending', 0, true FROM chat RETURNING seq)
         INSERT INTO payloads (seq, request) SELECT seq, '{}' FROM message`,
        messageId,
      );
    },
    /** That message comes to Hot Bags. Resolves with who has brought it. */
    async delivered(messageId: string) {
      const brought = () => linesOf(hotBags).find((line) => line.startsWith(`${messageId} `));
      return (await until(`${messageId} is delivered`, brought, PATIENCE_MS)).split(" ")[1];
    },
    /** Its reply goes out. */
    answered: (messageId: string) =>
      until(`${messageId} is answered`, () => firstOf(sent()).includes(`re:${messageId}`), PATIENCE_MS),
    inDoubt: () => idsOf("'in_doubt'"),
    /**
     * None was sent twice, none out of order or after a higher token had sent, and what was not sent and waits no more is
     * known to be in doubt.
     */
    async expectOnce() {
      const tokens = sent().map((line) => Number(line.split(" ")[2]));
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
      const ids = firstOf(sent());
      expect(new Set(ids).size).toBe(ids.length);
      const numbers = ids.flatMap((id) => (id.startsWith("c") ? [Number(id.slice(1))] : []));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect((await idsOf("'sent'")).every((id) => ids.includes(id))).toBe(true);
      expect((await idsOf("'pending'")).filter((id) => ids.includes(id))).toEqual([]);
    },
    async [Symbol.asyncDispose]() {
      // A server that ends waits for its clients: those of a test that has failed, too.
      await Promise.all(senders.map(kill));
      await connection.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
