import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cable, layCable } from "./cable.ts";
import { type Databases, startDatabases } from "./databases.ts";
import { openShop } from "./sender-shop.ts";

// A sidecar beside the shop's gateway, and one beside another: the second one brings Hot Bags what waits while the first is
// away, sends nothing, and gives the account back. With processes, on a real PostgreSQL.

let databases: Databases | string;

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);

afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

type Shop = Awaited<ReturnType<typeof openShop>>;

/** The first one's end, and how it comes back. */
type Absence = (
  it: Shop,
  cable: Cable,
) => {
  first: ReturnType<Shop["sender"]>;
  begins(): Promise<unknown>;
  /** Resolves with the one that is beside the shop's gateway then. */
  ends(): Promise<ReturnType<Shop["sender"]>>;
};

const absences: Record<string, Absence> = {
  "is killed, and starts anew": (it) => {
    const first = it.sender("first");
    return { first, begins: first.kill, ends: async () => it.sender("first") };
  },
  "is stopped, and wakes": (it) => {
    const first = it.sender("first");
    return {
      first,
      begins: async () => first.signal("SIGSTOP"),
      async ends() {
        first.signal("SIGCONT");
        return first;
      },
    };
  },
  "is cut off, and is back": (it, cable) => {
    const first = it.sender("first", { host: cable.host });
    return {
      first,
      begins: async () => cable.cut(),
      async ends() {
        cable.mend();
        return first;
      },
    };
  },
};

describe("a sidecar beside the gateway", { timeout: 240_000 }, () => {
  it.for(Object.entries(absences))(
    "that %s: meanwhile another one delivers, and sends nothing",
    async ([, absence], test) => {
      await using it = await openShop(test, databases);
      await using cable = await layCable(it.host);
      const { first, begins, ends } = absence(it, cable);
      await first.maySend();
      await it.sends(20);
      const second = it.sender("second", { accounts: ["outlet"] });
      await begins();
      await it.waits("late");
      await second.owns();
      expect(await it.delivered("late")).toBe("second");
      const back = await ends();
      await back.maySend(back === first ? 2 : 1);
      await second.loses();
      await it.answered("late");
      await it.sends(20);
      expect(it.sentBy("second")).toEqual([]);
      await Promise.all([first.kill(), back.kill(), second.kill()]);
      await it.expectOnce();
    },
  );
});
