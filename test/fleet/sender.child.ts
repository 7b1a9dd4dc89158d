// A sidecar's replies, as small as they get: it owns the account or waits for it, and sends what is pending in order.
// What it hands to the gateway is a line in a file, which nobody can take back.
import { appendFileSync } from "node:fs";
import { Leases } from "./lease.ts";
import { type Moment, send, takeOver } from "./sender.ts";
import { poolOf } from "./server.ts";

const [host = "", owner = "", file = "", ttl = "", pollMs = "", stopAt = "", skewMs = "0"] = process.argv.slice(2);
const ACCOUNT = "shop";

// A wrong wall clock.
const { now } = Date;
Date.now = () => now() + Number(skewMs);

const pool = poolOf(host, 4);
const ttlMs = Number(ttl);
const leases = new Leases({ pool, owner, ttlMs, uptimeMs: () => performance.now() });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let sent = 0;
let hasStopped = false;

/** The second time that it comes here, it says so, and stops until the test wakes it. */
async function reached(moment: Moment): Promise<void> {
  if (moment !== stopAt || sent === 0 || hasStopped) return;
  hasStopped = true;
  await new Promise((resolve) => process.send?.("stops", resolve));
  process.kill(process.pid, "SIGSTOP");
}

for (;;) {
  const lease = await leases.acquire(ACCOUNT).catch(() => null);
  if (!lease) {
    process.send?.("waits");
    await pause(Number(pollMs));
    continue;
  }
  let isOver = false;
  const renewing = setInterval(() => {
    leases.renew([lease]).then(
      (lost) => {
        isOver ||= lost.length > 0;
      },
      () => {},
    );
  }, ttlMs / 3);
  process.send?.("owns");
  try {
    await takeOver(pool, lease);
    while (!isOver) {
      const command = await send(pool, leases, lease, reached, (id) => {
        appendFileSync(file, `${id} ${owner} ${lease.token}\n`);
        sent += 1;
      });
      if (!command) await pause(20);
    }
  } catch {
    // Fenced off, or the database is away: from the beginning.
    await pause(Number(pollMs));
  } finally {
    clearInterval(renewing);
  }
}
