import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startPostgres } from "../../setup/postgres.ts";
import { median } from "../report.ts";
import { QUEUES, type QueueName, WIDTH } from "./contenders.ts";
import type { Taken } from "./queue.child.ts";
import { cpuUsOf, startRedis } from "./servers.ts";

const CHILD = fileURLToPath(new URL("./queue.child.ts", import.meta.url));

interface Round extends Taken {
  /** CPU time of its server, us a message. */
  serverUs: number;
}

const LINES: [string, (round: Round) => number, number][] = [
  ["taken in, messages/s", ({ addedPerSecond }) => addedPerSecond, 0],
  ["done, messages/s", ({ donePerSecond }) => donePerSecond, 0],
  ["CPU of its process, us a message", ({ cpuUs }) => cpuUs, 0],
  ["CPU of its server, us a message", ({ serverUs }) => serverUs, 0],
  ["RSS of its process, MB", ({ rssMb }) => rssMb, 0],
  ["of all messages, begun before their turn in the chat, %", ({ outOfOrder }) => outOfOrder, 1],
];

/** The queue alone, ours beside three libraries in turns, as Markdown. */
export async function queuesTable(
  size: { chats: number; each: number; rounds: number },
  say: (line: string) => void,
): Promise<string> {
  await using stack = new AsyncDisposableStack();
  const redis = await startRedis();
  if (typeof redis === "string") say(`without BullMQ: ${redis}`);
  else stack.use(redis);
  const postgres = await startPostgres({ isDurable: true });
  if (typeof postgres === "string") say(`without pg-boss: ${postgres}`);
  else stack.use(postgres);
  const servers = {
    BullMQ: typeof redis === "string" ? null : redis,
    "pg-boss": typeof postgres === "string" ? null : postgres,
  };
  const addresses = { redis: servers.BullMQ?.socket ?? "", postgres: servers["pg-boss"]?.host ?? "" };
  const isThere = (name: QueueName) => !(name in servers) || servers[name as keyof typeof servers] !== null;
  const names = (Object.keys(QUEUES) as QueueName[]).filter(isThere);
  const results = new Map<QueueName, Round[]>(names.map((name) => [name, []]));
  for (let round = 0; round < size.rounds; round += 1)
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const pid = name in servers ? (servers[name as keyof typeof servers]?.pid ?? null) : null;
      const taken = await run(name, pid, addresses, size);
      say(`${name}: ${taken.donePerSecond.toFixed(0)} messages/s, ${taken.outOfOrder} out of order`);
      results.get(name)?.push(taken);
    }
  const total = size.chats * size.each;
  const share = (round: Round): Round => ({ ...round, outOfOrder: (round.outOfOrder / total) * 100 });
  const header = ["", ...names];
  const rows = LINES.map(([title, of, digits]) => [
    title,
    ...names.map((name) => median((results.get(name) ?? []).map(share).map(of)).toFixed(digits)),
  ]);
  const table = [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const what = `${size.chats} chats x ${size.each} messages, ${WIDTH} worked on at once for 0 to 10 ms each; a customer writes three in a row`;
  return `${what}; ${size.rounds} round${size.rounds === 1 ? "" : "s, the middle one of each figure"}.\n\n${table}\n`;
}

async function run(
  name: QueueName,
  server: number | null,
  addresses: object,
  { chats, each }: { chats: number; each: number },
): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), "hotbags-bench-"));
  try {
    const child = fork(CHILD, [name, folder, JSON.stringify(addresses), String(chats), String(each)]);
    const failed = once(child, "exit").then(([code]) => {
      throw new Error(`${name} ended with ${code}`);
    });
    failed.catch(() => {});
    await Promise.race([once(child, "message"), failed]);
    const before = server === null ? 0 : cpuUsOf(server);
    const told = once(child, "message");
    child.send("go");
    const [taken] = (await Promise.race([told, failed])) as [Taken];
    const serverUs = server === null ? 0 : (cpuUsOf(server) - before) / (chats * each);
    await failed.catch(() => {});
    return { ...taken, serverUs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
