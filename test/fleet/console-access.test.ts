import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { IDLE_MS, LINK_MS, MAX_SESSIONS, SESSION_MS } from "../../sidecar/src/store/index.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { rooms } from "./rooms.ts";

// Who may use the console, in both rooms of the store.

const linkOf = (user: string) => ({ token_sha256: randomBytes(32), user, role: "act" as const });

describe.each(rooms())("the console's access in $name", (room) => {
  beforeAll(() => room.start(), 120_000);
  afterAll(() => room.stop());

  async function opened(test: TestContext) {
    const clock = new SimulatedClock();
    const it = await room.open(test, clock);
    return {
      it,
      clock,
      get console() {
        return it.store.console;
      },
      async logIn(user: string, instead: number | null = null) {
        const link = linkOf(user);
        await it.store.console.link(link, "root");
        const session = await it.store.console.redeem(link, randomBytes(32), instead);
        if (!session) throw new Error("the link was used");
        return session;
      },
      users: async () => (await it.store.console.sessions()).map(({ user }) => user),
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  it("is a link that becomes one session, and is worth nothing after its time", async (test) => {
    await using at = await opened(test);
    const [link, other] = [linkOf("anna"), { ...linkOf("ben"), role: "look" as const }];
    expect(await at.console.link(link, "root")).toBe(at.clock.now() + LINK_MS);
    await at.console.link(other, "root");
    await at.it.reopen();
    const links = await at.console.links();
    expect(links.toSorted((a, b) => a.user.localeCompare(b.user))).toMatchObject([link, other]);
    const token = randomBytes(32);
    const session = await at.console.redeem(link, token, null);
    const now = at.clock.now();
    expect(session).toMatchObject({
      ...{ user: "anna", role: "act", token_sha256: token, made_at: now, seen_at: now, expires_at: now + IDLE_MS },
    });
    expect(await at.console.redeem(link, randomBytes(32), null)).toBeNull();
    expect(await at.console.sessions()).toEqual([session]);
    at.clock.advance(LINK_MS);
    expect(await at.console.links()).toEqual([]);
    expect((await at.it.store.operator.audit(null, 3)).map(({ who, action, result }) => [who, action, result])).toEqual(
      [
        ["anna", "log in to the console", "done: may act"],
        ["root", "make a console link", "done: ben may look"],
        ["root", "make a console link", "done: anna may act"],
      ],
    );
  });

  it("lasts as long as it is used, but no longer than a week", async (test) => {
    await using at = await opened(test);
    await at.logIn("anna");
    at.clock.advance(IDLE_MS - 1);
    const [session] = await at.console.sessions();
    if (session) await at.console.seen(session);
    at.clock.advance(IDLE_MS - 1);
    expect(await at.users()).toEqual(["anna"]);
    at.clock.advance(1);
    expect(await at.users()).toEqual([]);
    await at.logIn("ben");
    for (let passed = 0; passed + IDLE_MS / 2 < SESSION_MS; passed += IDLE_MS / 2) {
      at.clock.advance(IDLE_MS / 2);
      for (const one of await at.console.sessions()) await at.console.seen(one);
    }
    expect(await at.users()).toEqual(["ben"]);
    at.clock.advance(IDLE_MS / 2);
    expect(await at.users()).toEqual([]);
  });

  it("lasts no longer for a wall clock that is set back", async (test) => {
    await using at = await opened(test);
    await at.logIn("anna");
    at.clock.jump(-365 * 24 * 3_600_000);
    expect(await at.users()).toEqual(["anna"]);
    at.clock.advance(IDLE_MS);
    expect(await at.users()).toEqual([]);
  });

  it("ends where it is ended, where its browser logs in again, and where there are too many", async (test) => {
    await using at = await opened(test);
    const first = await at.logIn("first");
    at.clock.advance(1);
    const second = await at.logIn("second", first.id);
    expect(await at.users()).toEqual(["second"]);
    expect([await at.console.end(second.id, "root"), await at.console.end(second.id, "root")]).toEqual([true, false]);
    for (let n = 0; n < MAX_SESSIONS + 1; n++) {
      await at.logIn(`user ${n}`);
      at.clock.advance(1);
    }
    const users = await at.users();
    expect([users.length, users[0], users.at(-1)]).toEqual([MAX_SESSIONS, `user ${MAX_SESSIONS}`, "user 1"]);
    const ended = (await at.it.store.operator.audit(null, 100)).filter(({ who }) => who === "hotbags");
    expect(ended).toMatchObject([{ action: "end a console session", result: `there are more than ${MAX_SESSIONS}` }]);
  });

  it("keeps the last sixteen links", async (test) => {
    await using at = await opened(test);
    for (let n = 0; n < 18; n++) {
      await at.console.link(linkOf(`user ${n}`), "root");
      at.clock.advance(1);
    }
    const users = (await at.console.links()).map(({ user }) => user);
    expect([users.length, users.includes("user 1"), users.includes("user 2")]).toEqual([16, false, true]);
  });
});
