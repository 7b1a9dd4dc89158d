import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import type { Network } from "../setup/postgres.ts";

/** Where packets vanish. */
export type Way = "to the server" | "from the server" | "both ways";

/** A cable between this machine and a network namespace with nothing else in it. */
export interface PrivateNetwork extends Network, Disposable {
  /** Packets vanish from now on, that way or both, and neither end is told. */
  cut(way: Way): void;
  /** Packets arrive from now on. */
  mend(): void;
}

const [HERE, THERE, NOBODY] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:99"];

/** Lays one; a sentence where that can't be done. */
export function layNetwork(): PrivateNetwork | string {
  if (process.getuid?.() !== 0) return "a network namespace needs root here";
  // Of those that are for tests (RFC 2544), so that it is nobody else's; and several runs may be on one machine.
  const [a, b] = [randomInt(256), randomInt(64) * 4];
  const [here, there] = [`198.18.${a}.${b + 1}`, `198.18.${a}.${b + 2}`];
  const [name, near, far] = ["n", "h", "s"].map((kind) => `hb${kind}${process.pid}x${a}`) as [string, string, string];
  /** A frame to an address of hardware that nobody has is dropped by whoever gets it, without a word. */
  const leads = (where: readonly string[], address: string, device: string, hardware: string | undefined) =>
    ip(...where, "neigh", "replace", address, "lladdr", hardware, "nud", "permanent", "dev", device);
  const goes = (arrives: boolean) => leads([], there, near, arrives ? THERE : NOBODY);
  const comes = (arrives: boolean) => leads(["-n", name], here, far, arrives ? HERE : NOBODY);
  try {
    ip("netns", "add", name);
    ip("link", "add", near, "address", HERE, "type", "veth", "peer", "name", far, "address", THERE, "netns", name);
    for (const [where, device, address] of [
      [[], near, here],
      [["-n", name], far, there],
    ] as const) {
      ip(...where, "addr", "add", `${address}/30`, "dev", device);
      ip(...where, "link", "set", device, "up");
    }
    ip("-n", name, "link", "set", "lo", "up");
    goes(true);
    comes(true);
  } catch (error) {
    remove(name);
    const { stderr } = error as { stderr?: unknown };
    return `no network namespace can be made here: ${String(stderr ?? error).trim()}`;
  }
  return {
    namespace: `/run/netns/${name}`,
    address: there,
    cut(way) {
      if (way !== "from the server") goes(false);
      if (way !== "to the server") comes(false);
    },
    mend() {
      goes(true);
      comes(true);
    },
    [Symbol.dispose]: () => remove(name),
  };
}

/** With the cable, both ends of which go with it. */
function remove(name: string): void {
  try {
    ip("netns", "del", name);
  } catch {
    // It was never made.
  }
}

/** Debian's iproute2. */
function ip(...args: readonly (string | undefined)[]): void {
  execFileSync("ip", args.map(String), { stdio: ["ignore", "ignore", "pipe"] });
}
