import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Ports of doubles lie below Linux's ephemeral range (32768 up). A port inside it can be taken as the local end of somebody's
 * outgoing connection while the double is down, and a client that retries a closed one can even connect to itself.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const TRIES = 50;

/** A loopback TCP port that nobody listens on now. Nothing reserves it: take it soon. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${FIRST_PORT} and ${LAST_PORT} in ${TRIES} tries`);
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = createServer();
  probe.once("error", () => resolve(false));
  probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  return promise;
}
