import { shownId } from "@hotbags/shared";
import type { Failure, StoreView } from "../store/index.ts";

type Stored = Pick<StoreView, "counters" | "failures">;

/** What the database says of messages: the same whether a sidecar runs on it or not. */
export function countMessages({ counters, failures }: Stored) {
  const { accepted, delivered, pending, detached, dead, discarded } = counters.read();
  return {
    ...{ accepted, delivered, pending, detached },
    last_detached: describeFailure(failures.latest("detached")),
    dead,
    last_dead: describeFailure(failures.latest("dead")),
    discarded,
  };
}

/** What the database says of commands: the same whether a sidecar runs on it or not. */
export function countCommands({ counters, failures }: Stored) {
  const counts = counters.read();
  return {
    pending: counts.commands_pending,
    sending: counts.commands_sending,
    sent: counts.commands_sent,
    queued_by_gateway: counts.commands_queued_by_gateway,
    sent_from_gateway_queue: counts.replies_sent_from_queue,
    dropped_by_gateway: counts.replies_dropped,
    last_dropped_by_gateway: describeFailure(failures.latest("reply_dropped")),
    in_doubt: counts.commands_in_doubt,
    failed: counts.commands_failed,
    last_failed: describeFailure(failures.latest("command_failed")),
    skipped: counts.commands_skipped,
    done: counts.commands_done,
  };
}

/** What the database says of delivery reports, or of events: the same whether a sidecar runs on it or not. */
export function countReports({ counters }: Pick<Stored, "counters">, kind: "reports" | "events") {
  const counts = counters.read();
  return {
    waiting: counts[`${kind}_waiting`],
    delivered: counts[`${kind}_delivered`],
    dropped: counts[`${kind}_dropped`],
  };
}

/** The same of what Hot Bags sends without being asked. */
export function countOutbound({ counters }: Pick<Stored, "counters">) {
  const { outbound_taken: taken, outbound_refused: refused } = counters.read();
  return { taken, refused };
}

function describeFailure(failure: Failure | null) {
  if (!failure) return null;
  const { at, message_id, reason } = failure;
  return { at: new Date(at).toISOString(), message_id: shownId(message_id), reason };
}
