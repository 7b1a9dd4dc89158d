import { VERSION } from "@hotbags/shared";
import type { Check } from "./check.ts";
import { ok, warn } from "./finding.ts";

export const sidecar: Check = {
  name: "sidecar",
  look: ({ running }) => {
    if (running === null)
      return [warn("it does not run", "start it once all else is well: systemctl start hotbags-sidecar")];
    const { problems } = running;
    if (problems.length === 0) return [ok(`${VERSION} runs, and says that customers are being answered`)];
    return [warn(`${VERSION} runs, and says: ${problems[0]}${problems.length > 1 ? " …" : ""}`, "hotbags status")];
  },
};
