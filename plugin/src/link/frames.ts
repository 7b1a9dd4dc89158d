import { createHash } from "node:crypto";
import { type PluginFrame, safeReason, VERSION, WIRE_VERSION } from "@hotbags/shared";
import type { Outbox, Row } from "../outbox/outbox.ts";

/** The first frame of a connection. */
export function helloFrame(openclawVersion: string): string {
  return render({
    v: WIRE_VERSION,
    type: "hello",
    plugin_version: VERSION,
    openclaw_version: openclawVersion.slice(0, 64),
  });
}

/**
 * A message's frame. Its body was rendered when it was captured and goes out as it is, so that it is the same on every
 * attempt.
 */
export function messageFrame(row: Row): string {
  return `{"v":${WIRE_VERSION},"type":"message","ref":${row.seq},"message":${row.body}}`;
}

/** The state of the outbox for the operator's eyes. */
export function statusFrame(outbox: Outbox): string {
  const { waiting, waitingBytes, dead } = outbox.totals();
  const oldestMs = outbox.oldestMs();
  return render({
    v: WIRE_VERSION,
    type: "status",
    outbox_messages: waiting,
    outbox_bytes: waitingBytes,
    oldest_at: oldestMs === undefined ? null : new Date(oldestMs).toISOString(),
    parked_messages: dead,
  });
}

/** OpenClaw's `message_sent` event and its context, as far as they are used here. */
export type SentEvent = { to: string; content: string; success: boolean; messageId?: string; error?: string };
export type SentContext = { channelId: string; accountId?: string };

/**
 * What became of a text: the sidecar's proof that it did go out, or that it never will. OpenClaw tells of a failure only
 * when it has given the text up, never of one after which it tries again. Undefined for other channels.
 */
export function sentFrame(event: SentEvent, context: SentContext, nowMs: number): string | undefined {
  if (context.channelId !== "whatsapp") return undefined;
  return render({
    v: WIRE_VERSION,
    type: "sent",
    account_id: (context.accountId ?? "default").slice(0, 64),
    to: event.to.slice(0, 128),
    text_sha256: createHash("sha256").update(event.content).digest("hex"),
    success: event.success,
    ...(!event.success && { reason: safeReason(event.error ?? "") }),
    whatsapp_message_id: event.messageId?.slice(0, 256) ?? null,
    at: new Date(nowMs).toISOString(),
  });
}

function render(frame: PluginFrame): string {
  return JSON.stringify(frame);
}
