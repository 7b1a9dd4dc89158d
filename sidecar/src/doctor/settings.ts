import type { Check } from "./check.ts";
import { fail, ok } from "./finding.ts";

/** Those that count, and of a sidecar that runs those that it has; `hotbags config` shows where each is from. */
export const settings: Check = {
  name: "settings",
  look: ({ settings, mistakes }) => {
    if (settings !== null && mistakes.length === 0) return [ok("complete and valid")];
    if (settings !== null)
      return mistakes.map((mistake) =>
        fail(
          `the sidecar runs with those that it began with, and would not start again: ${mistake}`,
          "mend it where it gets its environment, and then hotbags config reload",
        ),
      );
    const advice =
      "set it where the sidecar gets its environment, and give doctor the same: --env-file /etc/hotbags/sidecar.env; hotbags config shows each setting";
    return mistakes.map((mistake) => fail(mistake, advice));
  },
};
