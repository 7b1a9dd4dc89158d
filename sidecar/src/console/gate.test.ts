import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ask,
  begin,
  deadLetter,
  door,
  end,
  loggedIn,
  logInWith,
  reopen,
  store,
  tokenOf,
} from "../../../test/sidecar/open-console.ts";

beforeEach(begin);
afterEach(end);

/** What the browser's own page sends, with one thing that no page of the console has. */
const FOREIGN: [string, number, Record<string, string | undefined>][] = [
  ["a name that was made to point here", 421, { host: "evil.example" }],
  ["a name that only begins as this machine's", 421, { host: "127.0.0.1.evil.example" }],
  ["a name with more behind it", 421, { host: "127.0.0.1#evil.example" }],
  ["a user before the name", 421, { host: "127.0.0.1@evil.example" }],
  ["the origin of another page", 403, { origin: "https://evil.example" }],
  ["the origin of another port of this machine", 403, { origin: "http://127.0.0.1:3000" }],
  ["an origin that nobody may know", 403, { origin: "null" }],
  ["word of its browser that it comes from another site", 403, { "sec-fetch-site": "cross-site" }],
  ["word of its browser that it comes from another port", 403, { "sec-fetch-site": "same-site" }],
];

describe("a request with", () => {
  it.each(FOREIGN)("%s is refused with %i, whatever it asks for", async (_what, status, headers) => {
    const cookie = await loggedIn();
    const seq = await deadLetter();
    const read = await ask("GET", "/api/v1/messages", { headers: { cookie, ...headers } });
    const changed = await ask("POST", "/api/v1/messages/retry", {
      headers: { cookie, ...headers },
      body: { ids: [seq] },
    });
    const login = await logInWith(await tokenOf(), headers);
    expect([read.status, changed.status, login.status]).toEqual([status, status, status]);
    expect((await store.counters()).dead).toBe(1);
  });

  it.each([{ "x-hotbags-console": undefined }, { origin: undefined }])(
    "nothing that a form could not send (%j) changes nothing",
    async (headers) => {
      const cookie = await loggedIn();
      const seq = await deadLetter();
      const asked = { headers: { cookie, ...headers }, body: { ids: [seq] } };
      expect((await ask("POST", "/api/v1/messages/retry", asked)).status).toBe(403);
      expect((await ask("DELETE", "/api/session", asked)).status).toBe(403);
      expect((await store.counters()).dead).toBe(1);
    },
  );

  it.each(["127.0.0.1:9000", "localhost:9000", "[::1]:9000", "LOCALHOST"])(
    "the host %s has come through a tunnel",
    async (host) => {
      const origin = `http://${host.toLowerCase()}`;
      expect((await logInWith(await tokenOf(), { host, origin })).status).toBe(200);
    },
  );

  it("the name of a reverse proxy comes in where that is set, with a cookie for https alone", async () => {
    await reopen({ origin: new URL("https://console.shop.example") });
    const link = await door.makeLink("anna", "look", "root");
    expect(link.url).toMatch(/^https:\/\/console\.shop\.example\/#login=/);
    const proxied = { host: "console.shop.example", origin: "https://console.shop.example" };
    const { status, headers } = await logInWith(link.url.split("#login=")[1], proxied);
    expect([status, headers["set-cookie"]?.[0]]).toEqual([200, expect.stringMatching(/; Secure$/)]);
    const others = { host: "console.shop.example.evil.example", origin: proxied.origin };
    expect((await logInWith(await tokenOf(), others)).status).toBe(421);
  });
});
