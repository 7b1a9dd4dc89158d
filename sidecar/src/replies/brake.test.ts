import { expect, it } from "vitest";
import { Brake, type BrakeLimits, DEFAULT_BRAKE } from "./brake.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

const brakeOf = (limits: Partial<BrakeLimits>) => new Brake({ perMinute: 0, perHour: 0, ...limits });

/** Sends in a chat whenever it may, for that long. Returns when, and how often the operator would be told that it is held. */
function sendAll(brake: Brake, chat: number, from: number, until: number, everyMs: number) {
  const sent: number[] = [];
  let told = 0;
  for (let now = from; now < until; ) {
    const { ms, isNew } = brake.hold(chat, now);
    if (isNew) told += 1;
    if (ms === 0) {
      brake.sent(chat, now);
      sent.push(now);
    }
    now += Math.max(ms, everyMs);
  }
  return { sent, told };
}

it("holds what is more than a minute's, until the first of these is a minute ago", () => {
  const brake = brakeOf({ perMinute: 3 });
  for (const at of [0, 1_000, 2_000]) {
    expect(brake.hold(1, at).ms).toBe(0);
    brake.sent(1, at);
  }
  expect(brake.hold(1, 3_000).ms).toBe(57_000);
  expect(brake.hold(1, MINUTE_MS).ms).toBe(0);
  brake.sent(1, MINUTE_MS);
  expect(brake.hold(1, MINUTE_MS).ms).toBe(1_000);
});

it("lets a loop have as many replies a minute and an hour as is set, and no more", () => {
  const brake = brakeOf({ perMinute: 30, perHour: 300 });
  const { sent } = sendAll(brake, 1, 0, 3 * HOUR_MS, 500);
  expect(sent).toHaveLength(900);
  for (const at of sent) {
    expect(sent.filter((other) => other >= at && other < at + MINUTE_MS).length).toBeLessThanOrEqual(30);
    expect(sent.filter((other) => other >= at && other < at + HOUR_MS).length).toBeLessThanOrEqual(300);
  }
});

it("holds a slow loop by the hour", () => {
  const brake = brakeOf({ perMinute: 30, perHour: 300 });
  expect(sendAll(brake, 1, 0, HOUR_MS, 10_000).sent).toHaveLength(300);
});

it("holds no other chat", () => {
  const brake = brakeOf({ perMinute: 1 });
  brake.sent(1, 0);
  expect(brake.hold(1, 0).ms).toBe(MINUTE_MS);
  expect(brake.hold(2, 0).ms).toBe(0);
});

it("tells once of it, however many chats are held how often, and again after an hour without", () => {
  const brake = brakeOf({ perMinute: 1 });
  expect([1, 2].map((chat) => sendAll(brake, chat, 0, HOUR_MS, 1_000).told)).toEqual([1, 0]);
  expect(sendAll(brake, 2, 3 * HOUR_MS, 3 * HOUR_MS + MINUTE_MS, 1_000).told).toBe(1);
});

it("counts a chat as held until it has gone a minute without", () => {
  const brake = brakeOf({ perMinute: 1 });
  brake.sent(1, 0);
  expect(brake.heldChats(0)).toBe(0);
  brake.hold(1, 0);
  expect(brake.heldChats(2 * MINUTE_MS - 1)).toBe(1);
  expect(brake.heldChats(2 * MINUTE_MS)).toBe(0);
});

it("is off where both limits are 0", () => {
  const brake = brakeOf({});
  expect(sendAll(brake, 1, 0, MINUTE_MS, 100).sent).toHaveLength(600);
});

it("is on by default", () => {
  expect(DEFAULT_BRAKE.perMinute).toBeGreaterThan(0);
  expect(DEFAULT_BRAKE.perHour).toBeGreaterThan(0);
});
