import { channel } from "node:diagnostics_channel";

/**
 * Names the instants at which a crash would matter: before and after each commit and each effect on the outside.
 * Costs nothing unless somebody listens; the crash matrix in test/ does, and kills the process exactly there.
 */
const failpoints = channel("hotbags:failpoint");

export function failpoint(name: string): void {
  if (failpoints.hasSubscribers) failpoints.publish(name);
}
