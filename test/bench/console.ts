import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import Database from "better-sqlite3";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore, type Store } from "../../sidecar/src/store/index.ts";
import { ShopWithConsole } from "../console/shop.ts";
import { freePort } from "../hotbags/port.ts";
import { ShopWithOperator } from "../sidecar/shop-with-operator.ts";
import { messageOf } from "./flow.ts";

const USAGE = `npm run bench:console -- [--views N] [--idle SECONDS] [--messages N] [--stored N]

What the owner's page costs. The first view in a new browser on loopback, N times (default 20). The CPU of two sidecars side by
side, one with BRIDGE_CONSOLE and one without, which nobody looks at: idle (default 60 s), and for each of N messages that they
take in turns (default 2000). And what the index of a chat's messages costs each message that the store takes, in two stores of so
many (default 200000) that take turns, one of them without it.
`;

const BATCH = 32;
/** One tick of /proc's, ms: 100 Hz is what Linux tells. */
const TICK_MS = 10;

const options = {
  views: { type: "string", default: "20" },
  idle: { type: "string", default: "60" },
  messages: { type: "string", default: "2000" },
  stored: { type: "string", default: "200000" },
  help: { type: "boolean", short: "h" },
} as const;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const sorted = (values: number[]) => values.toSorted((a, b) => a - b);
const part = (values: number[], share: number) =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
const described = (values: number[], digits = 0) =>
  `${part(values, 0.5).toFixed(digits)} (${part(values, 0).toFixed(digits)} to ${part(values, 1).toFixed(digits)})`;

/** From the request for the page until something is painted, and until it says how it is; ms. */
async function measureViews(views: number): Promise<void> {
  const door = await ShopWithConsole.start(async () => {});
  try {
    const { context } = await door.enter();
    const storageState = await context.storageState();
    const painted: number[] = [];
    const told: number[] = [];
    for (let n = 0; n < views; n++) {
      // With nothing in its cache.
      const fresh = await door.browser.newContext({ locale: "en-GB", storageState });
      const page = await fresh.newPage();
      await page.goto(`${door.origin}/#/now`);
      await page.getByText("Customers are being answered").waitFor();
      told.push(await page.evaluate<number>("performance.now()"));
      painted.push(await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime"));
      await fresh.close();
    }
    say(`first view, ms: painted after ${described(painted)}; says how it is after ${described(told)}`);
  } finally {
    await door.close();
  }
}

/** User and system, ms. */
function cpuOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function measureSidecars(idleS: number, messages: number): Promise<void> {
  const withIt = await ShopWithOperator.start({ BRIDGE_CONSOLE: `127.0.0.1:${await freePort()}` });
  const without = await ShopWithOperator.start();
  const both = [withIt, without];
  const cpu = () => both.map(({ sidecar }) => cpuOf(sidecar.process.pid));
  const since = (before: number[]) => cpu().map((now, n) => now - (before[n] ?? 0));
  try {
    const quiet = cpu();
    await sleep(idleS * 1_000);
    const [idleWith = 0, idleWithout = 0] = since(quiet);
    const share = (ms: number) => `${(ms / idleS / 10).toFixed(2)}% of a core`;
    say(`idle for ${idleS} s: ${share(idleWith)} with the console on, ${share(idleWithout)} without`);
    const busy = cpu();
    for (let n = 0; n < messages; n += BATCH)
      for (const { plugin } of n % (2 * BATCH) === 0 ? both : both.toReversed())
        for (let i = n; i < n + BATCH; i++) await plugin.handIn(messageOf(i, `bench.${i}`));
    const [busyWith = 0, busyWithout = 0] = since(busy);
    const each = (ms: number) => `${((ms * 1_000) / messages).toFixed(0)} us`;
    say(`CPU for each of ${messages} messages: ${each(busyWith)} with the console on, ${each(busyWithout)} without`);
  } finally {
    for (const shop of both) await shop.close();
  }
}

/** A store of many old messages, of 500 chats. */
async function filled(dir: string, count: number): Promise<Store> {
  openStore(dir, systemClock).close();
  const db = new Database(join(dir, "bridge.sqlite"));
  const at = Date.now();
  db.exec(`
    BEGIN;
    INSERT INTO chats (account_id, chat_id)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
      SELECT 'default', '+1666' || (1000000 + i) FROM n;
    INSERT INTO messages (chat, message_id, state, attempts, received_at, settled_at, state_since, status)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
      SELECT 1 + i % 500, 'old-' || i, 'delivered', 1, ${at}, ${at}, ${at}, 200 FROM n;
    UPDATE counters SET value = value + ${count} WHERE name IN ('accepted', 'delivered');
    COMMIT;`);
  db.close();
  return openStore(dir, systemClock);
}

async function measureIndex(stored: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "hotbags-bench-"));
  const folders = ["with", "without"].map((name) => mkdtempSync(join(folder, name)));
  try {
    const stores = await Promise.all(folders.map((dir) => filled(dir, stored)));
    // With its statements prepared: those that name it are not used here.
    const db = new Database(join(folders[1] ?? "", "bridge.sqlite"));
    db.exec("DROP INDEX messages_chat");
    db.close();
    const costs: [number[], number[]] = [[], []];
    for (let turn = 0; turn < 400; turn++) {
      const chats = Array.from({ length: BATCH }, (_, i) => ((turn * BATCH + i) * 7_919) % 500);
      const messages = chats.map((chat) => messageOf(chat, `new.${turn}`));
      for (const n of turn % 2 === 0 ? [0, 1] : [1, 0]) {
        const begun = process.cpuUsage();
        await Promise.all(messages.map((message) => stores[n]?.messages.accept(message)));
        const { user, system } = process.cpuUsage(begun);
        costs[n === 0 ? 0 : 1].push((user + system) / BATCH);
      }
    }
    for (const store of stores) store.close();
    const [withIt, without] = costs.map((cost) => part(cost, 0.5));
    const difference = costs[0].map((cost, n) => cost - (costs[1][n] ?? 0));
    say(
      `a message into a store of ${stored}, in batches of ${BATCH}, CPU, us: ${withIt?.toFixed(1)} with the index, ${without?.toFixed(1)} without; between two that took turns ${part(difference, 0.5).toFixed(1)}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options });
const [views = 0, idle = 0, messages = 0, stored = 0] = [values.views, values.idle, values.messages, values.stored].map(
  Number,
);
if (values.help || ![views, idle, messages, stored].every((value) => Number.isSafeInteger(value) && value >= 0)) {
  process.stderr.write(USAGE);
  process.exitCode = values.help ? 0 : 2;
} else {
  if (views > 0) await measureViews(views);
  if (idle > 0) await measureSidecars(idle, messages);
  if (stored > 0) await measureIndex(stored);
}
