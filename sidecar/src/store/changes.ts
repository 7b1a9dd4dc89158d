import type { CommandState } from "./operator.ts";

export type MessageChange = "accepted" | "attempt_failed" | "delivered" | "dead" | "waits_again" | "discarded";

/** What has changed, and is on disk. */
export interface Change {
  kind: "message" | "command";
  /** Its number. */
  id: number;
  /** Of a command: the state it is in now. */
  what: MessageChange | CommandState;
  account_id: string;
  /** A whole number. */
  chat_id: string;
  message_id: string | null;
  command_id: string | null;
  /** Why, where it is not as it should be. */
  reason: string | null;
}
