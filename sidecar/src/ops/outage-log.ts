import { LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { RESTORE, type Store } from "../store/index.ts";

/** Says in the log that the store can't write, and that it can again. */
export function logOutages(store: Store, clock: Clock, log: Logger): void {
  const throttle = new LogThrottle({ clock });
  let said = false;
  store.onOutage((outage) => {
    if (outage) {
      throttle.log(() => {
        const facts = { alarm: true, failure: outage.failure };
        const what = "the database can't be written: until it can, no message is taken in, delivered or answered";
        log.error(facts, outage.isDamage ? `${what}. ${RESTORE}` : what);
        said = true;
      });
    } else if (said) {
      said = false;
      log.info("the database can be written again");
    }
  });
}
