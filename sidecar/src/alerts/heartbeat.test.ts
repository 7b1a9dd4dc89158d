import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { until } from "../../../test/until.ts";
import { Heartbeat } from "./heartbeat.ts";

const SECRET = "secret-of-the-check";

async function stand(answer: (response: ServerResponse, path: string) => void) {
  const asked: string[] = [];
  const lines: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(response, request.url ?? "");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const state = { isHealthy: true };
  const heartbeat = new Heartbeat({
    ...{ url: new URL(`${base}/${SECRET}`), isHealthy: async () => state.isHealthy, everyMs: 10 },
    log: pino({ base: null }, { write: (line: string) => lines.push(line) }),
  });
  onTestFinished(async () => {
    await heartbeat.stop();
    server.close();
    server.closeAllConnections();
    expect(lines.join()).not.toContain(SECRET);
  });
  return { asked, lines, heartbeat, state, base };
}

it("asks again and again while all is well, and not while something is wrong", async () => {
  const { asked, heartbeat, state } = await stand((response) => response.end("OK"));
  let looks = 0;
  state.isHealthy = false;
  Object.defineProperty(state, "isHealthy", { get: () => ++looks > 3 });
  heartbeat.start();
  await until("it has pinged", () => asked.length >= 2);
  expect(asked.length).toBeLessThanOrEqual(looks - 3);
});

it("follows a redirect", async () => {
  const { asked, heartbeat } = await stand((response, path) =>
    path === "/there" ? response.end("OK") : response.writeHead(302, { location: "/there" }).end(),
  );
  heartbeat.start();
  await until("it has pinged twice", () => asked.filter((one) => one === "GET /there").length >= 2);
  expect(asked.slice(0, 2)).toEqual([`GET /${SECRET}`, "GET /there"]);
});

it("says once in the log that it is not heard, and that it is again", async () => {
  let status = 404;
  const { asked, lines, heartbeat } = await stand((response) => response.writeHead(status).end());
  heartbeat.start();
  await until("it was asked three times", () => asked.length >= 3);
  status = 200;
  await until("it is heard", () => lines.length >= 2);
  expect(lines).toEqual([
    expect.stringContaining("the heartbeat is not heard: the answer was 404"),
    expect.stringContaining("the heartbeat is heard again"),
  ]);
});
