import type { Kind } from "../alerts/table.ts";

/** The stations of a message, from the customer's phone to the shop's backend. */
export type Station = "whatsapp" | "openclaw" | "plugin" | "sidecar" | "hotbags";

/** `slow`: it goes on, but not as it should: something waits too long, or is held, or only a part of it works. */
export type HopState = "ok" | "slow" | "down" | "unknown";

/** Whether customers are being answered. `partly`: some are not. */
export type Answered = "yes" | "partly" | "no" | "unknown";

/** What an alert says of the path: of one of its hops, or of the answer as a whole; null: customers are answered all the same. */
type Effect =
  | { readonly hop: Station; readonly state: "down" | "slow" }
  | { readonly answered: "partly" | "unknown" }
  | null;

const down = (hop: Station) => ({ hop, state: "down" }) as const;
const slow = (hop: Station) => ({ hop, state: "slow" }) as const;

/** Of every kind of alert, so that none is forgotten here. The path has no other judgement than these. */
export const EFFECTS: Readonly<Record<Kind, Effect>> = {
  logged_out: down("whatsapp"),
  replaced: down("whatsapp"),
  whatsapp_down: down("whatsapp"),
  lock: slow("whatsapp"),
  downtime: null,
  // All is connected, and nobody is heard: that may be the customers.
  quiet: { answered: "unknown" },
  gateway: down("openclaw"),
  gateway_died: null,
  plugin: down("plugin"),
  version: null,
  plugin_dead_letter: null,
  hot_bags: down("hotbags"),
  certificate: null,
  message_waits: slow("hotbags"),
  dead_letter: null,
  refused_command: null,
  reports: null,
  outbox: null,
  in_doubt: null,
  reply_waits: slow("whatsapp"),
  replies_refused: down("openclaw"),
  number: slow("whatsapp"),
  // One of them sends, the other one nothing.
  two_gateways: slow("whatsapp"),
  runaway: { answered: "partly" },
  disk: null,
  store: down("sidecar"),
  // Of some rows: what needs their page waits, or is given up. Of all there is an outage besides.
  database: slow("sidecar"),
  ledger: slow("sidecar"),
  backup: null,
  clock: null,
  alert_channel: null,
};
