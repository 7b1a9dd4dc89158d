import { expect, it } from "vitest";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { openLog } from "../log.ts";
import { Refusals } from "./refusals.ts";

function stand() {
  const clock = new SimulatedClock();
  const raised: string[] = [];
  const log = openLog("info", { write: () => {} });
  const refusals = new Refusals({ clock, log, random: () => 0.999 });
  const restMs = (chat: number, refusal: { reason: string; retryAfterMs?: number; action?: string }) => {
    const added = refusals.add(chat, { kind: "not_sent", ...refusal });
    if (added.raised !== null) raised.push(added.raised);
    const { cause, until } = added.rest;
    return { cause, seconds: Math.ceil((until - clock.uptimeMs()) / 1_000) };
  };
  return { clock, refusals, restMs, raised };
}

it("a chat waits longer each time, up to a minute, until a send of it is taken", () => {
  const { refusals, restMs } = stand();
  const waits = () => Array.from({ length: 8 }, () => restMs(1, { reason: "busy" }).seconds);
  expect(waits()).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  expect(restMs(2, { reason: "busy" })).toEqual({ cause: "backoff", seconds: 1 });
  refusals.over(1);
  expect(restMs(1, { reason: "busy" }).seconds).toBe(1);
});

it("what the operator must change is tried from a minute on, up to a quarter of an hour", () => {
  const { restMs } = stand();
  const waits = Array.from({ length: 6 }, () => restMs(1, { reason: "no", action: "Do this." }).seconds / 60);
  expect(waits.map(Math.round)).toEqual([1, 2, 4, 8, 15, 15]);
});

it("is raised once, not once a chat, and again when no chat has met it any more", () => {
  const { refusals, restMs, raised } = stand();
  for (const chat of [1, 2, 1]) restMs(chat, { reason: `no ${chat}`, action: "Do this." });
  restMs(3, { reason: "nor this", action: "Do that." });
  expect(raised).toEqual(["Do this.", "Do that."]);
  expect(refusals.problems).toEqual([
    "replies of 2 chats wait: no 2. Do this.",
    "replies of 1 chat wait: nor this. Do that.",
  ]);
  refusals.over(1);
  restMs(1, { reason: "no", action: "Do this." });
  for (const chat of [1, 2, 3]) refusals.over(chat);
  expect(refusals.problems).toEqual([]);
  expect(raised).toHaveLength(2);
  restMs(1, { reason: "no", action: "Do this." });
  expect(raised).toHaveLength(3);
});

it("the gateway is believed a quarter of an hour at the most", () => {
  const { clock, refusals, restMs } = stand();
  expect(refusals.notBefore).toBeLessThan(clock.uptimeMs());
  restMs(1, { reason: "slow down", retryAfterMs: 30_000 });
  expect(refusals.notBefore).toBe(clock.uptimeMs() + 30_000);
  restMs(2, { reason: "slow down", retryAfterMs: 1_000 });
  expect(refusals.notBefore).toBe(clock.uptimeMs() + 30_000);
  restMs(1, { reason: "slow down", retryAfterMs: 1e15 });
  expect(refusals.notBefore).toBe(clock.uptimeMs() + 900_000);
});
