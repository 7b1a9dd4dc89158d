import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { until } from "../../../test/until.ts";
import { openLog } from "../log.ts";
import { Connections } from "./connections.ts";

const LIMIT = 4;

function setUp() {
  const connections = new Connections(LIMIT, openLog("error"));
  const connect = (count: number) =>
    Array.from({ length: count }, () => {
      const socket = new PassThrough();
      connections.add(socket);
      return socket;
    });
  const open = (sockets: PassThrough[]) => sockets.filter(({ destroyed }) => !destroyed);
  return { connections, connect, open };
}

it("ends nobody in the instant in which others come, and then the oldest idle ones", async () => {
  const { connect, open } = setUp();
  const sockets = connect(5 * LIMIT);
  expect(open(sockets)).toEqual(sockets);
  await until("there is room again", () => open(sockets).length === LIMIT);
  expect(open(sockets)).toEqual(sockets.slice(-LIMIT));
});

it("ends none that is active", async () => {
  const { connections, connect, open } = setUp();
  const [first, ...others] = connect(2 * LIMIT);
  if (first) connections.activate(first);
  await until("there is room again", () => open(others).length === LIMIT - 1);
  expect(first?.destroyed).toBe(false);
});

it("takes eight times the limit for a flood, and ends the oldest of it at once", () => {
  const { connect, open } = setUp();
  expect(open(connect(100 * LIMIT))).toHaveLength(8 * LIMIT);
});
