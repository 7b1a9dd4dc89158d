import { DEFAULT_BRAKE } from "../../sidecar/src/replies/brake.ts";

/** What replies need where neither a runaway nor another number is the question. */
export const NOTHING_HELD = {
  brake: DEFAULT_BRAKE,
  onRunaway: () => {},
  formerNumbers: new Set<string>(),
  onNumberChange: () => {},
  onLock: () => {},
  outbound: { isOn: true, perMinute: 0 },
};
