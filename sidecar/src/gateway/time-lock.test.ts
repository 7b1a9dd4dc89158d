import { expect, it } from "vitest";
import { timeLockOf } from "./time-lock.ts";

const LOCKED = "WhatsApp reachout timelock is active; direct messages are temporarily blocked";

it("reads kind and end where OpenClaw names them, and takes what it can't read for unknown", () => {
  const until = Date.UTC(2026, 10, 28, 8, 14, 44, 887);
  expect(timeLockOf(`${LOCKED} (type=BIZ_QUALITY, until=2026-11-28T08:14:44.887Z)`)).toEqual({
    kind: "BIZ_QUALITY",
    until,
  });
  expect(timeLockOf(`${LOCKED} (type=DEFAULT)`)).toEqual({ kind: "DEFAULT", until: null });
  expect(timeLockOf(`Error: ${LOCKED}`)).toEqual({ kind: null, until: null });
  expect(timeLockOf(`${LOCKED} (type=<b>, until=2026-99-99T99:99:99.999Z)`)).toEqual({ kind: null, until: null });
});

it("is none in other errors", () => {
  expect(timeLockOf("OutboundDeliveryError: No active WhatsApp Web listener")).toBeUndefined();
});
