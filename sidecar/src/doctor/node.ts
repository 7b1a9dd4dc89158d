import { homedir } from "node:os";
import { sep } from "node:path";
import type { Check } from "./check.ts";
import { type Finding, ok, warn } from "./finding.ts";

/** Where version managers put it. */
const MANAGED = /[/\\]\.(nvm|fnm|volta|asdf)[/\\]/;

/** `cli.ts` has refused a Node that is too old before anything else. */
export const node: Check = {
  name: "Node",
  // One that runs the sidecar was found by whoever started that.
  look: ({ running }) => [
    running === null
      ? nodeForUnits(process.version, process.execPath, homedir())
      : ok(`${process.version} at ${process.execPath}`),
  ],
};

/** Whether a systemd unit finds this Node. */
export function nodeForUnits(version: string, execPath: string, home: string): Finding {
  const seen = `${version} at ${execPath}`;
  if (!execPath.startsWith(home + sep) && !MANAGED.test(execPath)) return ok(seen);
  const advice =
    "a systemd unit does not find it there, and may not look into a home folder: install Node 24 for all users (nodejs.org, or your system's packages)";
  return warn(`${seen}, which is one user's own`, advice);
}
