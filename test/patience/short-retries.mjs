// Loaded into the gateway with NODE_OPTIONS=--import. OpenClaw tries a message of its own queue again after 5, 25, 120 and 600 s, and
// that is not configurable: it would take a test 13 minutes to see it dropped.
import { registerHooks } from "node:module";

const WAITS = /const RECOVERY_BACKOFF_MS = \[\s*5e3,\s*25e3,\s*12e4,\s*6e5\s*\]/;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!/\/openclaw\/dist\/delivery-recovery\.shared-[^/]*\.mjs$/.test(url)) return loaded;
    const source = Buffer.from(loaded.source).toString("utf8");
    if (!WAITS.test(source)) throw new Error(`${url} has other waits than these: another OpenClaw version?`);
    return { ...loaded, source: source.replace(WAITS, "const RECOVERY_BACKOFF_MS = [5e3, 1e4, 15e3, 2e4]") };
  },
});
