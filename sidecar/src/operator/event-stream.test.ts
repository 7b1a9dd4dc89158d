import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { until } from "../../../test/until.ts";
import type { Change } from "../store/index.ts";
import { EventStreams } from "./event-stream.ts";

const CHANGE: Change = {
  ...{ kind: "message", id: 1, what: "accepted", account_id: "default", chat_id: "+15550001001" },
  ...{ message_id: "x".repeat(200), command_id: null, reason: null },
};

it("what a reader is too slow for is counted, and not kept", async () => {
  let tell: (changes: Change[]) => void = () => {};
  const streams = new EventStreams((listener) => {
    tell = listener;
    return () => {};
  });
  const answers: ServerResponse[] = [];
  const server = createServer((_, answer) => {
    answers.push(answer);
    streams.begin(answer, {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const [response] = (await once(get({ host: "127.0.0.1", port }), "response")) as [IncomingMessage];
  const [answer] = answers;
  const many = 50_000;
  tell(Array.from({ length: many }, () => CHANGE));
  expect(answer?.writableLength).toBeLessThan(2 * 1024 ** 2);

  const events: { kind: string; count?: number }[] = [];
  createInterface({ input: response }).on("line", (line) => void events.push(JSON.parse(line)));
  await until("all that was kept is read", () => answer?.writableLength === 0);
  tell([CHANGE]);
  streams.end();
  await once(response, "close");
  const [before, last] = [events.at(-2), events.at(-1)];
  expect([before?.kind, last?.kind]).toEqual(["missed", "message"]);
  expect(before?.count).toBeGreaterThan(0);
  expect(events.length - 1 + (before?.count ?? 0)).toBe(many + 1);
});
