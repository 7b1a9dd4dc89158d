import type { Check } from "./check.ts";
import { fail, ok, skipped, warn } from "./finding.ts";

export const plugin: Check = {
  name: "plugin",
  look: ({ running }) => {
    if (running === null) return [skipped("it connects when the sidecar runs")];
    if (!running.plugin.connected) {
      const advice =
        "`openclaw hotbags status` says why; if there is no such command, OpenClaw has not loaded the plugin, and its log says why";
      return [fail("it is not connected to this sidecar", advice)];
    }
    const { warnings } = running.versions;
    if (warnings.length === 0) return [ok("connected, and all parts are of the versions that were tested together")];
    return warnings.map((warning) => {
      const [seen = warning, ...advice] = warning.split(": ");
      return warn(seen, advice.join(": "));
    });
  },
};
