// A sidecar on the store in PostgreSQL, as small as it gets: it owns the shop's account or waits for it, brings Hot Bags
// what waits, and sends what is pending in order. What it hands to either is a line in a file, which nobody can take back.
import { subscribe } from "node:diagnostics_channel";
import { appendFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openPostgresStore } from "../../sidecar/src/store/postgres/index.ts";

const [url = "", owner = "", gateway = "", hotBags = "", ...more] = process.argv.slice(2);
const [ttl = 0, renew = 0, ask = 0, skewMs = 0] = more.slice(0, 4).map(Number);
const [accounts = "", stopAt = ""] = more.slice(4);

// A wrong wall clock.
const { now } = Date;
Date.now = () => now() + skewMs;

let sent = 0;
let hasStopped = false;
// The second time that it comes there it stops, until the test wakes it.
subscribe("hotbags:failpoint", (name) => {
  if (name !== stopAt || sent === 0 || hasStopped) return;
  hasStopped = true;
  writeFileSync(`${gateway}.stopped`, owner);
  process.kill(process.pid, "SIGSTOP");
});

const store = await openPostgresStore({
  ...{ url, owner, clock: systemClock, stateDir: dirname(gateway), idleMs: 1_000 },
  accounts: accounts.split(",").filter((account) => account !== ""),
  leaseMs: { ttl, renew, ask },
});

const SHOP = "shop";
let isOurs = false;
let delivering: Promise<void> = Promise.resolve();
let sending: Promise<void> = Promise.resolve();
store.onLost((account) => {
  if (account !== SHOP) return;
  isOurs = false;
  process.send?.("lost shop");
});
store.onOwned((account) => {
  if (account !== SHOP) return;
  isOurs = true;
  process.send?.("owns shop");
  delivering = delivering.then(() => again(deliverWaiting));
});
store.onBeside((account) => {
  if (account !== SHOP) return;
  process.send?.("sends of shop");
  sending = sending.then(() => again(sendPending));
});
if (!isOurs) process.send?.("waits");

async function again(work: () => Promise<void>): Promise<void> {
  while (isOurs) {
    try {
      await work();
    } catch {
      // Fenced off, or the database is away: from the beginning, if the account is still ours.
    }
    await new Promise((resolve) => setTimeout(resolve, ask));
  }
}

async function deliverWaiting(): Promise<void> {
  for (const { chat } of await store.messages.laneHeads()) {
    const head = await store.messages.headOf(chat);
    if (!head) continue;
    appendFileSync(hotBags, `${head.message_id} ${owner}\n`);
    const reply = { commandId: `re:${head.message_id}`, type: "send_text", text: "Yes", payload: "", refusal: null };
    await store.messages.delivered(head.seq, 200, "{}", [reply]);
  }
}

async function sendPending(): Promise<void> {
  const token = (await store.owners()).find((one) => one.account_id === SHOP)?.token;
  // What the owner before has left in the midst of a send may have gone out: it is never sent again by itself.
  for (const id of await store.commands.interrupted(SHOP))
    await store.commands.settled(id, "in_doubt", { reason: "the owner before has ended", whatsappMessageId: null });
  for (const chat of await store.commands.waitingChats(SHOP)) await sendNext(chat, token);
}

async function sendNext(chat: number, token: number | undefined): Promise<void> {
  for (let n = 0; isOurs && n < 10; n += 1) {
    const next = await store.commands.nextOf(chat);
    if (!next || !(await store.commands.sending(next.id, owner))) return;
    appendFileSync(gateway, `${next.command_id} ${owner} ${token}\n`);
    sent += 1;
    await store.commands.settled(next.id, "sent", { reason: null, whatsappMessageId: `WA${next.id}` });
  }
}
