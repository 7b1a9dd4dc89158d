import { howToAskPlugin } from "../gateway/index.ts";
import type { Check } from "./check.ts";
import { fail, ok, skipped, warn } from "./finding.ts";

export const plugin: Check = {
  name: "plugin",
  look: ({ running }) => {
    if (running === null) return [skipped("it connects when the sidecar runs")];
    if (!running.plugin.connected) return [fail("it is not connected to this sidecar", howToAskPlugin())];
    const { warnings } = running.versions;
    if (warnings.length === 0) return [ok("connected, and all parts are of the versions that were tested together")];
    return warnings.map((warning) => {
      const [seen = warning, ...advice] = warning.split(": ");
      return warn(seen, advice.join(": "));
    });
  },
};
