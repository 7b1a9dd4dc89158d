import { homedir } from "node:os";
import { sep } from "node:path";
import type { Check } from "./check.ts";
import { ok, warn } from "./finding.ts";

/** `cli.ts` has refused a Node that is too old before anything else. */
export const node: Check = {
  name: "Node",
  look: ({ running }) => {
    const { version, execPath } = process;
    if (
      running === null &&
      (execPath.startsWith(homedir() + sep) || /[/\\]\.(nvm|fnm|volta|asdf)[/\\]/.test(execPath))
    ) {
      const advice =
        "a systemd unit does not find it there, and may not look into a home folder: install Node 24 for all users (nodejs.org, or your system's packages)";
      return [warn(`${version} at ${execPath}, which is one user's own`, advice)];
    }
    return [ok(`${version} at ${execPath}`)];
  },
};
