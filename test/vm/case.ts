import type { Release } from "./releases.ts";
import type { ShopMachine } from "./shop-machine.ts";

/** The releases that cases install: the one under test, the one before, and one that does not start. */
export interface Releases {
  current: Release;
  previous: Release;
  broken: Release;
}

/**
 * How a machine is: nothing of the bridge was ever on it; nothing of it is on it, but Node and OpenClaw may be; installed, and not
 * linked; answering customers.
 */
export type Condition = "bare" | "cleared" | "installed" | "answering";

/** One thing that the machine has to do. */
export interface Case {
  name: string;
  /** What must be true, in a few words. */
  promise: string;
  /** The machine that it needs, and the one that it leaves. */
  on: Condition;
  leaves: Condition;
  /** @throws Error where it is not so. */
  run(shop: ShopMachine, releases: Releases): Promise<void>;
}

/** @throws Error with what it was about, unless it is so. */
export function assert(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(what);
}
