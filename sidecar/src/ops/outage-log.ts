import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { Store } from "../store/index.ts";
import { Trouble } from "../trouble.ts";

/** An outage that comes again and again is said at most once in this time, ms. */
const SAY_EVERY_MS = 60_000;

/** Says in the log that the store can't write, and that it can again. */
export function logOutages(store: Store, clock: Clock, log: Logger): void {
  const trouble = new Trouble({ clock, everyMs: SAY_EVERY_MS });
  let said = false;
  store.onOutage((outage) => {
    if (outage) {
      trouble.say("", () => {
        const facts = { alarm: true, failure: outage.failure };
        log.error(facts, "the database can't be written: until it can, no message is taken in, delivered or answered");
        said = true;
      });
    } else if (said) {
      said = false;
      log.info("the database can be written again");
    }
  });
}
