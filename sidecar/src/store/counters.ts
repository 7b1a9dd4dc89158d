/**
 * Messages: `accepted = delivered + pending + dead + discarded` at every instant. `accepted` and `delivered` count all that ever were;
 * `pending` and `dead` what is there now; `detached` those of the pending ones that are out of their chats' lanes.
 * Commands: those that are pending, being sent, in OpenClaw's queue or in doubt now, and how many ever ended in each other
 * state. `replies_sent_from_queue` and `replies_dropped`: how many OpenClaw ever sent from its queue, or dropped.
 * Reports, and events: those that wait now, and how many ever were delivered or dropped.
 * Of the outbox: how many commands ever were taken in, repeated ones too, and how many of these were refused.
 */
export type CounterName =
  | "accepted"
  | "delivered"
  | "pending"
  | "dead"
  | "discarded"
  | "detached"
  | "commands_pending"
  | "commands_sending"
  | "commands_sent"
  | "commands_queued_by_gateway"
  | "commands_in_doubt"
  | "commands_failed"
  | "commands_skipped"
  | "commands_done"
  | "replies_sent_from_queue"
  | "replies_dropped"
  | "reports_waiting"
  | "reports_delivered"
  | "reports_dropped"
  | "events_waiting"
  | "events_delivered"
  | "events_dropped"
  | "outbound_taken"
  | "outbound_refused";

/** All counters of a store in which nothing has happened. */
export const NO_COUNTS: Readonly<Record<CounterName, number>> = {
  accepted: 0,
  delivered: 0,
  pending: 0,
  dead: 0,
  discarded: 0,
  detached: 0,
  commands_pending: 0,
  commands_sending: 0,
  commands_sent: 0,
  commands_queued_by_gateway: 0,
  commands_in_doubt: 0,
  commands_failed: 0,
  commands_skipped: 0,
  commands_done: 0,
  replies_sent_from_queue: 0,
  replies_dropped: 0,
  reports_waiting: 0,
  reports_delivered: 0,
  reports_dropped: 0,
  events_waiting: 0,
  events_delivered: 0,
  events_dropped: 0,
  outbound_taken: 0,
  outbound_refused: 0,
};
