/**
 * Why a chat of replies rests:
 * - `account …`: WhatsApp is not connected for this account. Over when it is.
 * - `number`: its account is linked to another number than its message was written to. Over when the gateway's state changes.
 * - `doubt`: it is being found out whether its last reply was sent. Over when that is known, or can't be.
 * - `handover`: OpenClaw has its last reply in its own queue. Over when it has sent or dropped that.
 * - `lock`: WhatsApp has locked its account for direct chats. Over when a reply of the account went out.
 * - `pacing`: BRIDGE_CHAT_INTERVAL_MS after a reply. Nothing shortens it.
 * - `outbound`: BRIDGE_OUTBOUND_PER_MINUTE, of what nobody has asked for. Over when the settings change.
 * - `pause`: somebody else answers in the chat. Over when the pause is ended.
 * - `brake`: it got more replies than people exchange. Nothing shortens it.
 * - `file`: its file is being fetched. Over when it is here, or can't be had.
 * - `backoff`: its reply was not sent. Nothing shortens it.
 * - `operator`: the same, for a reason that only the operator can change. Over when another gateway process answers.
 * - `store`: the store could not be read or written.
 */
export type Cause =
  | `account ${string}`
  | "number"
  | "doubt"
  | "handover"
  | "lock"
  | "pacing"
  | "outbound"
  | "pause"
  | "brake"
  | "file"
  | "backoff"
  | "operator"
  | "store";

/**
 * Why no chat's reply goes just now:
 * - `pace`: BRIDGE_REPLIES_PER_MINUTE. Nothing shortens it.
 * - `gateway`: it refused a reply, and said for how long it wants none. Nothing shortens it.
 */
export type CauseOfAll = "pace" | "gateway";

/** For the operator. `leftMs`: until the next reply goes, of whatever chat. */
export function sentenceOfAll(cause: CauseOfAll, leftMs: number): string {
  const next = `the next one of all chats goes in ${inWords(leftMs)}`;
  return cause === "pace" ? `BRIDGE_REPLIES_PER_MINUTE: ${next}` : `the gateway wants no replies for a while: ${next}`;
}

function inWords(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1_000));
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

/** For the operator. `leftMs`: until the chat is looked at again. */
export function sentenceOf(cause: Cause, leftMs: number): string {
  const left = inWords(leftMs);
  if (cause.startsWith("account ")) return `WhatsApp is not connected for ${cause}`;
  const sentences: Record<Exclude<Cause, `account ${string}`>, string> = {
    number: "its account has another number than its message was written to: /health says what to do",
    doubt: "it is being found out whether the reply before it was sent",
    handover: "OpenClaw has the reply before it in its own queue",
    lock: `WhatsApp has locked the account for direct chats; it is tried in ${left}`,
    pacing: `BRIDGE_CHAT_INTERVAL_MS after the reply before it; ${left} more`,
    outbound: `BRIDGE_OUTBOUND_PER_MINUTE: the account's next command of the outbox goes in ${left}`,
    pause: `its chat is paused for ${left} more (hotbags chats list)`,
    brake: `the brake: its chat got too many replies lately; ${left} more`,
    file: "its file is being fetched",
    backoff: `the gateway did not take it; it is tried again in ${left}`,
    operator: "the gateway refuses it for a reason that only you can change: /health says which",
    store: "the database could not be read or written",
  };
  return sentences[cause as keyof typeof sentences];
}
