import type { PauseReplies } from "@hotbags/shared";

export type By = "hotbags" | "operator";

/** For how long a chat's replies wait, and whether they are kept for its end. */
export interface Pause {
  forMs: number;
  replies: PauseReplies;
}

/** A chat as people name it. */
export interface ChatAddress {
  accountId: string;
  /** E.164, or `...@g.us`. */
  chatId: string;
}

/** What an answer of Hot Bags changes for its chat, in place of a text. */
export type ChatOrder = ({ kind: "pause" } & Pause) | { kind: "resume" };

/** A pause that lasts. */
export interface PausedChat {
  chat: number;
  account_id: string;
  chat_id: string;
  by: By;
  replies: PauseReplies;
  leftMs: number;
  /** Replies that wait in the chat. */
  waiting: number;
}

/**
 * Pauses of chats: while one lasts, the chat's replies are held or skipped; its messages go to Hot Bags as ever. They
 * are counted by the proven time, so that one lasts over a restart for as long as was said, also where the clock jumps.
 */
export interface PauseStore {
  /**
   * The operator pauses a chat, also one in which nobody has written yet: nothing that waits there goes out, but what is
   * being sent. In place of an earlier one of theirs.
   */
  pause(chat: ChatAddress, pause: Pause): Promise<void>;

  /** The operator ends all pauses of a chat, Hot Bags' too. Resolves with the chat; null where there was none. */
  resume(chat: ChatAddress): Promise<number | null>;

  /** The pauses that last, the ones that end first before the others. */
  list(): Promise<PausedChat[]>;
}
