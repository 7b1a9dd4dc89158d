import { type BridgeEvent, transportSessionId } from "@hotbags/shared";
import type { Rendered } from "./reports.ts";

/** What has happened, as a trigger says it. Times are wall-clock ms. */
export type Noted = [
  type: BridgeEvent["type"],
  account: string,
  from: number | null,
  to: number | null,
  cause: string | null,
];

/** One that Hot Bags refuses holds none about something else. */
const LANES: Readonly<Record<BridgeEvent["type"], number>> = { downtime: 1, relink_needed: 2, relinked: 2 };

/** What Hot Bags is told of it. `now`: wall-clock ms. */
export function renderEvent([type, account, from, to, cause]: Noted, key: string, now: number): Rendered {
  const body: BridgeEvent = {
    ...{ event_id: key, type, from: iso(from), to: iso(to) },
    cause: cause === "logged_out" || cause === "replaced" ? cause : null,
    timestamp: new Date(now).toISOString(),
    transport_session_id: transportSessionId(account),
  };
  return { lane: LANES[type], accountId: account, body };
}

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
