// A sidecar's replies on the store in PostgreSQL, as small as they get: it owns the account or waits for it, and sends what
// is pending in order. What it hands to the gateway is a line in a file, which nobody can take back.
import { subscribe } from "node:diagnostics_channel";
import { appendFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openPostgresStore } from "../../sidecar/src/store/postgres/index.ts";

const [url = "", owner = "", file = "", ttl = "", pollMs = "", stopAt = "", skewMs = "0"] = process.argv.slice(2);

// A wrong wall clock.
const { now } = Date;
Date.now = () => now() + Number(skewMs);

let sent = 0;
let hasStopped = false;
// The second time that it comes there it stops, until the test wakes it.
subscribe("hotbags:failpoint", (name) => {
  if (name !== stopAt || sent === 0 || hasStopped) return;
  hasStopped = true;
  writeFileSync(`${file}.stopped`, owner);
  process.kill(process.pid, "SIGSTOP");
});

const ttlMs = Number(ttl);
const store = await openPostgresStore({
  ...{ url, owner, accounts: ["shop"], clock: systemClock, stateDir: dirname(file), idleMs: 1_000 },
  leaseMs: { ttl: ttlMs, renew: ttlMs / 3, ask: Number(pollMs) },
});

let isOurs = false;
let sending: Promise<void> = Promise.resolve();
store.onLost(() => {
  isOurs = false;
});
store.onOwned((account) => {
  isOurs = true;
  process.send?.("owns");
  sending = sending.then(() => sendAll(account)).catch(() => {});
});
if (!isOurs) process.send?.("waits");

async function sendAll(account: string): Promise<void> {
  while (isOurs) {
    try {
      await sendPending(account);
    } catch {
      // Fenced off, or the database is away: from the beginning, if the account is still ours.
    }
    await new Promise((resolve) => setTimeout(resolve, Number(pollMs)));
  }
}

async function sendPending(account: string): Promise<void> {
  const token = (await store.owners()).find((one) => one.account_id === account)?.token;
  // What the owner before has left in the midst of a send may have gone out: it is never sent again by itself.
  for (const id of await store.commands.interrupted(account))
    await store.commands.settled(id, "in_doubt", { reason: "the owner before has ended", whatsappMessageId: null });
  while (isOurs) {
    const [chat] = await store.commands.waitingChats(account);
    const next = chat === undefined ? undefined : await store.commands.nextOf(chat);
    if (!next || !(await store.commands.sending(next.id, owner))) return;
    appendFileSync(file, `${next.command_id} ${owner} ${token}\n`);
    sent += 1;
    await store.commands.settled(next.id, "sent", { reason: null, whatsappMessageId: `WA${next.id}` });
  }
}
