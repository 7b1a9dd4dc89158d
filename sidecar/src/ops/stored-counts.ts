import { shownId } from "@hotbags/shared";
import type { Counts, Failure } from "../store/index.ts";

/** What the database says of messages: the same whether a sidecar runs on it or not. */
export function countMessages({ counters, failures }: Counts) {
  const { accepted, delivered, pending, detached, dead, discarded } = counters;
  return {
    ...{ accepted, delivered, pending, detached },
    last_detached: describeFailure(failures.detached),
    dead,
    last_dead: describeFailure(failures.dead),
    discarded,
  };
}

/** What the database says of commands: the same whether a sidecar runs on it or not. */
export function countCommands({ counters, failures }: Counts) {
  return {
    pending: counters.commands_pending,
    sending: counters.commands_sending,
    sent: counters.commands_sent,
    queued_by_gateway: counters.commands_queued_by_gateway,
    sent_from_gateway_queue: counters.replies_sent_from_queue,
    dropped_by_gateway: counters.replies_dropped,
    last_dropped_by_gateway: describeFailure(failures.reply_dropped),
    in_doubt: counters.commands_in_doubt,
    failed: counters.commands_failed,
    last_failed: describeFailure(failures.command_failed),
    skipped: counters.commands_skipped,
    done: counters.commands_done,
  };
}

/** What the database says of delivery reports, or of events: the same whether a sidecar runs on it or not. */
export function countReports({ counters }: Counts, kind: "reports" | "events") {
  return {
    waiting: counters[`${kind}_waiting`],
    delivered: counters[`${kind}_delivered`],
    dropped: counters[`${kind}_dropped`],
  };
}

/** The same of what Hot Bags sends without being asked. */
export function countOutbound({ counters }: Counts) {
  const { outbound_taken: taken, outbound_refused: refused } = counters;
  return { taken, refused };
}

function describeFailure(failure: Failure | null) {
  if (!failure) return null;
  const { at, message_id, reason } = failure;
  return { at: new Date(at).toISOString(), message_id: shownId(message_id), reason };
}
