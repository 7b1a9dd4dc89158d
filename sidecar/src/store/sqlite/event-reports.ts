import type { Clock } from "../../clock.ts";
import { type Noted, renderEvent } from "../events.ts";
import type { Rendered } from "../reports.ts";
import type { ReportSource } from "./report-recorder.ts";

/** What has happened to the bridge. */
export class EventReports implements ReportSource {
  readonly kind = "event";
  readonly note = "note_event";
  readonly triggers = TRIGGERS;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  render(values: readonly unknown[], key: string): Rendered {
    return renderEvent(values as Noted, key, this.#clock.now());
  }
}

/** Of the alerts, which the operator is told of: once, also over restarts. A row of theirs is replaced as a whole. */
const IS_RELINK = "NEW.kind IN ('logged_out', 'replaced')";
const IS_OPEN = "EXISTS (SELECT 1 FROM alerts WHERE id = NEW.id AND ended IS NULL)";

const TRIGGERS = {
  event_downtime: `AFTER INSERT ON main.downtimes
    BEGIN SELECT note_event('downtime', NEW.account_id, NEW.from_at, NEW.to_at, NULL); END`,
  event_relink_needed: `BEFORE INSERT ON main.alerts WHEN ${IS_RELINK} AND NEW.ended IS NULL AND NOT ${IS_OPEN}
    BEGIN SELECT note_event('relink_needed', NEW.subject, NEW.since_at, NULL, NEW.kind); END`,
  event_relinked: `BEFORE INSERT ON main.alerts WHEN ${IS_RELINK} AND NEW.ended IS NOT NULL AND ${IS_OPEN}
    BEGIN SELECT note_event('relinked', NEW.subject, NEW.since_at, NEW.ended_at, NEW.kind); END`,
};
