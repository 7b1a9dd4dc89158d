import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { messageOf } from "../../../test/sidecar/message.ts";
import {
  ask,
  begin,
  door,
  end,
  follow,
  loggedIn,
  logInWith,
  store,
  tokenOf,
} from "../../../test/sidecar/open-console.ts";
import { until } from "../../../test/until.ts";

beforeEach(begin);
afterEach(end);

/** Says this on a connection of its own, and resolves with all that is answered. */
async function says(what: string): Promise<string> {
  const client = connect({ port: door.port ?? 0, host: "127.0.0.1" });
  client.on("error", () => {});
  let heard = "";
  client.on("data", (data) => {
    heard += String(data);
  });
  client.write(what);
  await once(client, "close");
  return heard;
}

describe("whoever means no good", () => {
  it("gets no more than 431 for headers without an end", async () => {
    expect(await says(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${"x".repeat(20_000)}`)).toMatch(/^HTTP\/1.1 431 /);
  });

  it("gets no more than 413 for a body without an end, and is cut off", async () => {
    const head = `Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nX-Hotbags-Console: 1\r\nContent-Length: 10000000`;
    const answer = await says(`POST /api/session HTTP/1.1\r\n${head}\r\n\r\n${"x".repeat(200_000)}`);
    // Whoever is cut off while they write may lose what they were told.
    expect(answer).toMatch(/^(HTTP\/1.1 413 |$)/);
  });

  it("is answered before the body is read where nothing could come of it, and cut off", async () => {
    const head = `Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nX-Hotbags-Console: 1\r\nContent-Length: 10000000`;
    expect(await says(`POST /api/v1/messages/retry HTTP/1.1\r\n${head}\r\n\r\n{`)).toMatch(/^HTTP\/1.1 401 /);
  });

  it("does not keep an open page from hearing, or another from coming in, with connections that say nothing", async () => {
    const cookie = await loggedIn("look");
    const page = await follow(cookie);
    const silent = Array.from({ length: 300 }, () => connect({ port: door.port ?? 0, host: "127.0.0.1" }));
    for (const client of silent) client.on("error", () => {}).write("GET / HT");
    await Promise.all(silent.map((client) => once(client, "connect")));
    expect((await ask("GET", "/api/session", { headers: { cookie } })).status).toBe(200);
    await store.messages.accept(messageOf("A"));
    await until("it has heard", () => page.text.includes('"what":"accepted"'));
    for (const client of silent) client.destroy();
  });

  it("with a link for a name of hostile words shows them as they are, in JSON alone", async () => {
    const name = `</script><img src=x onerror=alert(1)>\u202e"'`;
    const { said, headers } = await logInWith(await tokenOf("look", name));
    expect([said["user"], headers["content-type"]]).toEqual([name, "application/json"]);
  });

  it("is cut off with headers, or a body, of which a byte comes now and then", async () => {
    const post = "Origin: http://127.0.0.1\r\nX-Hotbags-Console: 1\r\nContent-Length: 60000";
    const slow = [
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
      `POST /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\n${post}\r\n\r\n`,
    ];
    await Promise.all(
      slow.map(async (head) => {
        const client = connect({ port: door.port ?? 0, host: "127.0.0.1" });
        client.on("error", () => {});
        client.resume().write(head);
        const drip = setInterval(() => client.write("x"), 500);
        await once(client, "close");
        clearInterval(drip);
      }),
    );
    // The door is open for others.
    expect((await logInWith(await tokenOf())).status).toBe(200);
  }, 60_000);
});
