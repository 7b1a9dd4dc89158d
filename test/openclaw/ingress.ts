import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A message as WhatsApp addresses it. */
export interface Addressed {
  readonly id: string;
  /** The group's id; of a direct chat, `from` counts. */
  readonly chat: string;
  /** The sender's address. */
  readonly from: string;
}

/**
 * What OpenClaw's WhatsApp plugin had written down of what came in, in the state folder of a gateway that is down: the step before every
 * hook. What isn't there no plugin ever saw. OpenClaw keeps the last 5,000 that it has finished, and all others.
 */
export function writtenDown(stateDir: string): (message: Addressed) => boolean {
  const state = new DatabaseSync(join(stateDir, "state", "openclaw.sqlite"), { readOnly: true });
  try {
    const rows = state.prepare("SELECT event_id FROM channel_ingress_events").all();
    const ids = new Set(rows.map((row) => row["event_id"]));
    return (message) => ids.has(eventId(message));
  } finally {
    state.close();
  }
}

/** OpenClaw 2026.9.6's key of a message (extensions/whatsapp/src/inbound/durable-receive.ts). */
function eventId({ id, chat, from }: Addressed): string {
  const address = chat.endsWith("@g.us") ? chat : from;
  return createHash("sha256").update(`${address}\n${id}`).digest("hex");
}
