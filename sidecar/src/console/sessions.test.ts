import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ask,
  begin,
  clock,
  end,
  loggedIn,
  logInWith,
  restart,
  store,
  tokenOf,
  told,
} from "../../../test/sidecar/open-console.ts";
import { until } from "../../../test/until.ts";
import { IDLE_MS, LINK_MS, MAX_SESSIONS, SESSION_MS } from "../store/index.ts";

beforeEach(begin);
afterEach(end);

describe("a link", () => {
  it("is good for one login, whose cookie no script sees and no other site sends", async () => {
    const token = await tokenOf("look");
    const first = await logInWith(token);
    expect([first.status, first.said]).toEqual([
      200,
      { user: "anna", role: "look", read_only: false, expires_at: new Date(clock.now() + IDLE_MS).toISOString() },
    ]);
    const cookie = first.headers["set-cookie"]?.[0] ?? "";
    expect(cookie).toMatch(/^hotbags_console=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=\d+$/);
    const again = await logInWith(token);
    expect([again.status, again.headers["set-cookie"]]).toEqual([401, undefined]);
    const who = await ask("GET", "/api/session", { headers: { cookie: cookie.split(";")[0] } });
    expect(who.said).toEqual(first.said);
  });

  it("is good for one login also where two come at once", async () => {
    const token = await tokenOf();
    const both = await Promise.all([logInWith(token), logInWith(token)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 401]);
    expect(await store.console.sessions()).toHaveLength(1);
  });

  it("is good for ten minutes, also where the clock is set back", async () => {
    const [late, later] = [await tokenOf(), await tokenOf()];
    clock.advance(LINK_MS - 1);
    expect((await logInWith(late)).status).toBe(200);
    clock.jump(-LINK_MS);
    clock.advance(1);
    expect((await logInWith(later)).status).toBe(401);
  });

  it("that is none lets nobody in", async () => {
    await tokenOf();
    for (const none of [undefined, null, 1, "", "x".repeat(43), "é".repeat(43), {}])
      expect((await logInWith(none)).status).toBe(401);
  });

  it("that is wrong too often is refused without a look, while a right one still comes in", async () => {
    const wrong = async () => (await logInWith("x".repeat(43))).status;
    for (let n = 0; n < 10; n += 1) expect(await wrong()).toBe(401);
    const refused = await logInWith("x".repeat(43));
    expect([refused.status, Number(refused.headers["retry-after"]) > 0]).toEqual([429, true]);
    expect((await logInWith(await tokenOf())).status).toBe(200);
  });

  it("is in no file, nor is the cookie: only their hashes are", async () => {
    const cookie = (await loggedIn()).split("=")[1] ?? "";
    const unused = await tokenOf();
    const stored = JSON.stringify([await store.console.links(), await store.console.sessions()]) + told.lines.join("");
    expect(cookie).toHaveLength(43);
    for (const secret of [cookie, unused]) expect(stored).not.toContain(secret);
  });
});

describe("a session", () => {
  it("is its browser's also where another server has set a cookie of that name, which comes first", async () => {
    const cookie = `hotbags_console=junk; ${await loggedIn()}; hotbags_console=${"x".repeat(43)}`;
    expect((await ask("GET", "/api/session", { headers: { cookie } })).status).toBe(200);
  });

  it("outlives a restart, and ends when nobody uses it, or after a week", async () => {
    const cookie = await loggedIn();
    const status = async () => (await ask("GET", "/api/session", { headers: { cookie } })).status;
    await restart();
    for (let used = 0; used + IDLE_MS < SESSION_MS; used += IDLE_MS - 1) {
      expect(await status()).toBe(200);
      // That it was used is on disk.
      await until("it is seen", async () => (await store.console.sessions())[0]?.seen_at === clock.now());
      clock.advance(IDLE_MS - 1);
    }
    clock.advance(IDLE_MS);
    expect(await status()).toBe(401);
    const other = await loggedIn();
    clock.advance(IDLE_MS);
    expect((await ask("GET", "/api/session", { headers: { cookie: other } })).status).toBe(401);
  });

  it("is another one after a login: a cookie that was put there before opens nothing", async () => {
    const planted = await loggedIn("look", "mallory");
    const login = await logInWith(await tokenOf("act", "anna"), { cookie: planted });
    const cookie = login.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    expect(cookie).not.toBe(planted);
    expect((await ask("GET", "/api/session", { headers: { cookie: planted } })).status).toBe(401);
    expect((await ask("GET", "/api/session", { headers: { cookie } })).said).toMatchObject({ user: "anna" });
  });

  it("is ended by its own, by another who may act, and not by one who may only look", async () => {
    const [anna, ben, guest] = [await loggedIn("act"), await loggedIn("act", "ben"), await loggedIn("look", "guest")];
    const { said } = await ask("GET", "/api/sessions", { headers: { cookie: anna } });
    const sessions = said["sessions"] as { id: number; user: string; is_this: boolean }[];
    expect(sessions.find(({ is_this: isThis }) => isThis)).toMatchObject({ user: "anna" });
    const bens = sessions.find(({ user }) => user === "ben")?.id;
    const end = (cookie: string) => ask("DELETE", `/api/sessions/${bens}`, { headers: { cookie } });
    expect((await end(guest)).status).toBe(403);
    expect((await end(anna)).status).toBe(200);
    expect((await end(anna)).status).toBe(404);
    expect((await ask("GET", "/api/session", { headers: { cookie: ben } })).status).toBe(401);
    const out = await ask("DELETE", "/api/session", { headers: { cookie: guest } });
    expect([out.status, out.headers["set-cookie"]?.[0]]).toEqual([200, expect.stringContaining("Max-Age=0")]);
    expect((await ask("GET", "/api/session", { headers: { cookie: guest } })).status).toBe(401);
    const audited = (await store.operator.audit(null, 3)).map(({ who, action, subject }) => [who, action, subject]);
    expect(audited).toEqual([
      ["guest", "end a console session", expect.any(Number)],
      ["anna", "end a console session", bens],
      ["guest", "log in to the console", expect.any(Number)],
    ]);
  });

  it("makes room for others when there are too many: the one that was used last the longest ago", async () => {
    const first = await loggedIn();
    for (let n = 0; n < MAX_SESSIONS; n += 1) {
      clock.advance(1);
      await loggedIn();
    }
    expect(await store.console.sessions()).toHaveLength(MAX_SESSIONS);
    expect((await ask("GET", "/api/session", { headers: { cookie: first } })).status).toBe(401);
  });
});
