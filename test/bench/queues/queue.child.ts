// One queue in a process of its own. It warms up, says so, waits to be told to go on, and then takes in and works on so many messages.
import { once } from "node:events";
import { setTimeout as after } from "node:timers/promises";
import type { InboundMessage } from "../../../shared/src/index.ts";
import { messageOf } from "../flow.ts";
import { type Addresses, QUEUES, type QueueName } from "./contenders.ts";

/** What one queue took. */
export interface Taken {
  addedPerSecond: number;
  donePerSecond: number;
  /** CPU time of its process, us a message. */
  cpuUs: number;
  /** Of its process at the end, MB. */
  rssMb: number;
  /** Messages that were begun before one of their chat that was written earlier had ended. */
  outOfOrder: number;
}

/** So many customers write at once: the next message of each when one is on disk. */
const WRITING = 16;
const WARM_UP = 3;
const IN_A_ROW = 3;

const [name, folder = "", addresses = "", chats = "", each = ""] = process.argv.slice(2);

/** Of one run. */
let ended = new Map<string, number>();
let outOfOrder = 0;
let left = 0;
let allEnded = () => {};

/** Up to 10 ms long, as far from each other as the answers of a backend are, and the same for all queues. */
async function work({ message_id: id }: { message_id: string }): Promise<void> {
  const [chat = "", at = ""] = id.slice(1).split("-");
  const n = Number(at.split(".")[1]);
  if ((ended.get(chat) ?? 0) !== n) outOfOrder += 1;
  await after((n * 7 + Number(chat) * 3) % 11);
  ended.set(chat, (ended.get(chat) ?? 0) + 1);
  left -= 1;
  if (left === 0) allEnded();
}

/** Each customer writes some messages in a row, and then the next one does. */
function rowsOf(round: string, each: number): InboundMessage[][] {
  const begins = Array.from({ length: Math.ceil(each / IN_A_ROW) }, (_, row) => row * IN_A_ROW);
  const rows = begins.flatMap((begin) => Array.from({ length: Number(chats) }, (_, chat) => ({ begin, chat })));
  return rows.map(({ begin, chat }) => {
    const length = Math.min(IN_A_ROW, each - begin);
    return Array.from({ length }, (_, n) => messageOf(chat, `${round}.${begin + n}`));
  });
}

async function run(add: (message: InboundMessage) => Promise<unknown>, round: string, each: number) {
  const rows = rowsOf(round, each);
  const count = Number(chats) * each;
  [ended, outOfOrder, left] = [new Map(), 0, count];
  const all = new Promise<void>((resolve) => {
    allEnded = resolve;
  });
  const begun = performance.now();
  const iterator = rows.values();
  await Promise.all(
    Array.from({ length: WRITING }, async () => {
      for (const row of iterator) for (const message of row) await add(message);
    }),
  );
  const added = performance.now() - begun;
  await all;
  const done = performance.now() - begun;
  const wrong = [...ended].find(([, times]) => times !== each);
  if (wrong) throw new Error(`${name}: of chat ${wrong[0]} ${wrong[1]} of ${each} messages were worked on`);
  return { addedPerSecond: (count / added) * 1_000, donePerSecond: (count / done) * 1_000 };
}

process.on("disconnect", () => process.exit());
const queue = await QUEUES[name as QueueName](work, folder, JSON.parse(addresses) as Addresses);
await run(queue.add, "warm", WARM_UP);
process.send?.("warm");
await once(process, "message");
const before = process.cpuUsage();
const speed = await run(queue.add, "run", Number(each));
await queue.close();
if (left < 0) throw new Error(`${name}: a message was worked on twice`);
const { user, system } = process.cpuUsage(before);
const cpuUs = (user + system) / (Number(chats) * Number(each));
const rssMb = process.memoryUsage.rss() / 1e6;
process.send?.({ ...speed, cpuUs, rssMb, outOfOrder } satisfies Taken);
process.disconnect();
