import type { Check } from "./check.ts";
import { fail, ok } from "./finding.ts";

/** Those that count, and of a sidecar that runs those that it has; `hotbags config` shows where each is from. */
export const settings: Check = {
  name: "settings",
  look: ({ settings, mistakes }) => {
    if (settings !== null) return [ok("complete and valid")];
    const advice =
      "set it where the sidecar gets its environment, and give doctor the same: --env-file /etc/hotbags/sidecar.env; hotbags config shows each setting";
    return mistakes.map((mistake) => fail(mistake, advice));
  },
};
