import { DatabaseSync } from "node:sqlite";
import { maskAddress } from "@hotbags/shared";

/** How long, ms, the gateway's own work on the outbox is waited for. */
const BUSY_TIMEOUT_MS = 2_000;

/** The messages that wait for the sidecar. `oldest` is the one that waits longest; its chat is masked. */
export type OutboxReport = {
  messages: number;
  bytes: number;
  /** Dead letters. Other programs read this name. */
  set_aside: number;
  oldest: { captured_at: number; chat: string; message_id: string } | null;
};

/** Looks into an outbox that another process may be using, and writes nothing. Throws if the file can't be read. */
export function reportOutbox(file: string): OutboxReport {
  const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    const totals = db.prepare("SELECT waiting, waiting_bytes, parked FROM totals").get();
    const oldest = db.prepare("SELECT captured_at, chat, message_id FROM waiting ORDER BY seq LIMIT 1").get();
    return {
      messages: Number(totals?.["waiting"]),
      bytes: Number(totals?.["waiting_bytes"]),
      set_aside: Number(totals?.["parked"]),
      oldest:
        oldest === undefined
          ? null
          : {
              captured_at: Number(oldest["captured_at"]),
              chat: maskAddress(String(oldest["chat"])),
              message_id: String(oldest["message_id"]),
            },
    };
  } finally {
    db.close();
  }
}
