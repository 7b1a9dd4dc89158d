import { expect, it } from "vitest";
import { verdictOnDrop } from "./drop.ts";

it.each(["delivery retry budget exhausted", "delivery retry budget exhausted (5/5)"])(
  "has not gone out: %s",
  (reason) => {
    expect(verdictOnDrop(reason)).toBe("unsent");
  },
);

it.each([
  "delivery state is unknown_after_send; refusing blind replay without adapter reconciliation",
  "delivery state is send_attempt_started and reconciliation is unresolved: no adapter",
  "delivery owner state is unknown",
  "socket hang up: delivery retry budget exhausted",
  "",
])("may have gone out: %s", (reason) => {
  expect(verdictOnDrop(reason)).toBe("unknown");
});
