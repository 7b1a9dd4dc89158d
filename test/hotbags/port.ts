import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/**
 * Ports of doubles lie below Linux's ephemeral range (32768 up). A port inside it can be taken as the local end of somebody's
 * outgoing connection while the double is down, and a client that retries a closed one can even connect to itself.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const TRIES = 50;

/**
 * A loopback TCP port that nobody listens on now, and that no other caller gets for as long as this process lives: its double may
 * start later, and go down and up again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if ((await reserve(port)) && (await isFree(port))) return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${FIRST_PORT} and ${LAST_PORT} in ${TRIES} tries`);
}

/**
 * Takes the UDP port of the same number, which nothing here uses: the kernel gives it to one process at a time, and back when that
 * has ended, however it ends. False if another has it.
 */
function reserve(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const reservation = createSocket("udp4");
  reservation.once("error", () => {
    reservation.close();
    resolve(false);
  });
  reservation.bind({ port, address: "127.0.0.1", exclusive: true }, () => {
    reservation.unref();
    resolve(true);
  });
  return promise;
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = createServer();
  probe.once("error", () => resolve(false));
  probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  return promise;
}
