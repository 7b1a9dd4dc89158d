import type { SharedStore } from "../../sidecar/src/store/index.ts";

/** What is asked on a message's way, on a reply's, or at a start, by the part of the store. */
const READS: { readonly [Part in keyof SharedStore]?: readonly (keyof SharedStore[Part])[] } = {
  messages: ["headOf", "headSeqOf", "behind", "firstDetachedOf", "detachedDueOf", "laneHeads", "detachedHeads"],
  commands: [
    ...(["waitingChats", "interrupted", "inDoubt", "sentIds", "sentBetween"] as const),
    ...(["nextOf", "get", "fileOf", "doubt", "sendsSince"] as const),
  ],
  handovers: ["open"],
  reports: ["headOf", "lanes"],
  events: ["headOf", "lanes"],
  outbound: ["cursorOf", "isBehind", "waiting"],
};

/** More turns of the event loop than a read and a write together take. */
const MOST_TURNS = 5;

/**
 * The same store, as one that is on another machine: each read takes some turns of the event loop, before it sees what is
 * there, or on its way back, when that may have changed already.
 */
export function lateReads(store: SharedStore, random: () => number): SharedStore {
  const someTurns = async () => {
    for (let left = Math.floor(random() * MOST_TURNS); left > 0; left -= 1)
      await new Promise((resolve) => setImmediate(resolve));
  };
  const late = <Part extends object>(part: Part, names: readonly PropertyKey[]): Part =>
    new Proxy(part, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (!names.includes(name)) return value.bind(target);
        return async (...args: unknown[]) => {
          await someTurns();
          try {
            return await value.apply(target, args);
          } finally {
            await someTurns();
          }
        };
      },
    });
  const parts = new Map<PropertyKey, unknown>();
  for (const part of ["messages", "commands", "handovers", "reports", "events", "outbound"] as const)
    parts.set(part, late(store[part], READS[part] ?? []));
  return new Proxy(store, {
    get: (target, name) => parts.get(name) ?? Reflect.get(target, name, target),
  });
}

/** `LATE_READS=1`: tests of the relay and of replies run on a store whose reads are late. */
export function lateIfAsked(store: SharedStore): SharedStore {
  return process.env["LATE_READS"] === "1" ? lateReads(store, Math.random) : store;
}
