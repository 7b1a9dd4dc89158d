import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { DEFAULT_LOW_DISK_BYTES, freeBytesAt, shownSize } from "@hotbags/shared";
import type { Check } from "./check.ts";
import { fail, ok, skipped } from "./finding.ts";

export const disk: Check = {
  name: "disk",
  look: async ({ stateDir, settings }) => {
    let folder = stateDir;
    while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
    const free = await freeBytesAt(folder);
    if (free === null) return [skipped(`nobody can say how much room ${folder} has`)];
    const low = settings === null ? DEFAULT_LOW_DISK_BYTES : settings.lowDiskBytes;
    const seen = `${shownSize(free)} free at ${folder}`;
    if (free >= low) return [ok(seen)];
    const advice = `make room, or no message is taken in when it is full: \`du -xh / | sort -h | tail -n 30\` says where it went (BRIDGE_LOW_DISK_BYTES is ${shownSize(low)})`;
    return [fail(seen, advice)];
  },
};
