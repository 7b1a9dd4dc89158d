/**
 * Why a chat of replies rests:
 * - `account …`: WhatsApp is not connected for this account. Over when it is.
 * - `number`: its account is linked to another number than its message was written to. Over when the gateway's state changes.
 * - `doubt`: it is being found out whether its last reply was sent. Over when that is known, or can't be.
 * - `handover`: OpenClaw has its last reply in its own queue. Over when it has sent or dropped that.
 * - `lock`: WhatsApp has locked its account for direct chats. Over when a reply of the account went out.
 * - `pacing`: BRIDGE_CHAT_INTERVAL_MS after a reply. Nothing shortens it.
 * - `pause`: somebody else answers in the chat. Over when the pause is ended.
 * - `brake`: it got more replies than people exchange. Nothing shortens it.
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
  | "pause"
  | "brake"
  | "backoff"
  | "operator"
  | "store";
