import { expect, it } from "vitest";
import { OutboundPace } from "./outbound-pace.ts";

it("spaces out what one account sends, and no other's", () => {
  const pace = new OutboundPace({ isOn: true, perMinute: 6 });
  expect(pace.nextAt("default", 1_000)).toBe(1_000);
  pace.spend("default", 1_000);
  expect(pace.nextAt("default", 1_000)).toBe(11_000);
  expect(pace.nextAt("default", 20_000)).toBe(20_000);
  expect(pace.nextAt("outlet", 1_000)).toBe(1_000);
});

it("lets all go where there is no limit, and once a limit is changed", () => {
  const pace = new OutboundPace({ isOn: true, perMinute: 0 });
  pace.spend("default", 0);
  expect(pace.nextAt("default", 0)).toBe(0);
  pace.adopt({ isOn: true, perMinute: 1 });
  pace.spend("default", 0);
  expect(pace.nextAt("default", 0)).toBe(60_000);
  pace.adopt({ isOn: false, perMinute: 1 });
  expect([pace.isOn, pace.nextAt("default", 0)]).toEqual([false, 0]);
});
