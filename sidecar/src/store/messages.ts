import type { InboundMessage } from "@hotbags/shared";
import type { CommandFromResponse, HandOver, RecordedCommand } from "./commands.ts";
import type { InlinedFile } from "./lay-out.ts";

/** A message that waits for delivery, with all that its POST needs. */
export interface PendingMessage {
  seq: number;
  chat: number;
  message_id: string;
  account_id: string;
  chat_id: string;
  /** The stored body, the same bytes on every attempt, without those of the files. */
  request: string;
  /** The files whose bytes go into it, in their order. */
  inlined: InlinedFile[];
  attempts: number;
  retrying_ms: number;
  received_at: number;
  /** Ms of proven time; 0: at once. */
  next_attempt_at: number;
}

export interface LaneHead {
  chat: number;
  /** Ms of proven time; 0: at once. */
  next_attempt_at: number;
}

export interface Accepted {
  seq: number;
  chat: number;
  /** It was there already; nothing was written. */
  duplicate: boolean;
  /** Why it was accepted as a dead letter; null when it waits for delivery. */
  refusal: string | null;
  /** As `headOf` gives it where it is the first of its lane, if that is known without a look: for a message without files, of SQLite. */
  pending?: PendingMessage;
}

export interface FailedAttempt {
  error: string;
  status: number | null;
  /** How long it took, ms; null: not measured. */
  durationMs?: number | null;
  /** Ms, as `Store.provenNow` counts: the wall clock may be set before then. */
  nextAttemptAt: number;
  /** The wait until then, ms: it counts towards the time limit. */
  waitMs: number;
  /** The message is at fault, not the backend: it leaves its chat's lane. */
  detach: boolean;
}

/** One POST of a message that failed, as far as it was noted. */
export interface AttemptRow {
  /** From 1 on. */
  attempt: number;
  /** When it failed, wall-clock ms. */
  at: number;
  /** Null: it was not measured. */
  duration_ms: number | null;
  /** Null: there was no answer. */
  status: number | null;
  error: string | null;
}

/** The messages' side of the store. States: `pending → delivered | dead`. */
export interface MessageStore {
  /** Whether the first reply of an answer can be handed over in the commit that records it. */
  readonly handsOver: boolean;

  /**
   * Takes a message into the store. Resolves when it is on disk; only then may it be acked. Idempotent by account, chat and message id.
   * Two accounts in one group, or on one customer's broadcast list, get the same message under the same id. Its key is that id, so Hot Bags
   * can have it once: the copy that came first counts. A message id that something else has used would make Hot Bags see one key with
   * two bodies: the message is kept as a dead letter. Rejects with FileMissingError when a file is not here that it counts on; one that
   * is known needs none: its files are there, or were forgotten with it.
   *
   * Of one chat, none is taken that was handed in after one that is rejected, until its caller has been told of that.
   */
  accept(message: InboundMessage): Promise<Accepted>;

  /**
   * When the first message of each lane that has one is due; of one account, or of all that are ours. Read once at start, or
   * when the account has become ours; costs one index pass. Where a page can't be read, every chat may have one.
   */
  laneHeads(account?: string): Promise<LaneHead[]>;

  /** The same of the detached messages of each chat that has any. */
  detachedHeads(account?: string): Promise<LaneHead[]>;

  /** The message that is next in a chat's lane. Costs the same however long the lane is. Rejects with RowUnreadableError. */
  headOf(chat: number): Promise<PendingMessage | undefined>;

  /** The number of the message that is next in a chat's lane; undefined: there is none, or it can't be read. */
  headSeqOf(chat: number): Promise<number | undefined>;

  /** The message that comes after this one in a chat's lane. Rejects with RowUnreadableError. */
  behind(chat: number, seq: number): Promise<PendingMessage | undefined>;

  /** When the first of a chat's detached messages is due, ms of proven time; undefined when there is none. */
  detachedDueOf(chat: number): Promise<number | undefined>;

  /** The one of a chat's detached messages that is due first. Rejects with RowUnreadableError. */
  firstDetachedOf(chat: number): Promise<PendingMessage | undefined>;

  /**
   * Files that went along with a message can't be read any more: from now on its body says so instead, and that is on
   * disk before the next attempt. Resolves with the message as it is then. Only this and `leaveFilesOut` change a body.
   */
  filesLost(message: PendingMessage, lost: readonly InlinedFile[]): Promise<PendingMessage>;

  /** Hot Bags takes no body of this size: the same for all files, which are kept. */
  leaveFilesOut(message: PendingMessage): Promise<PendingMessage>;

  /**
   * Hot Bags answered with 2xx: the response, `delivered` and the commands, in one transaction. Resolves with the commands as they were
   * recorded; those in state `pending` are to be executed. With `handOver`, which is heeded where the store `handsOver`, the first of
   * them may be `sending` already.
   */
  delivered(
    seq: number,
    status: number,
    response: string,
    commands: CommandFromResponse[],
    durationMs?: number,
    handOver?: HandOver,
  ): Promise<RecordedCommand[]>;

  /** An attempt failed and another one will follow. Resolves with whether the message left its chat's lane by it. */
  failed(seq: number, attempt: FailedAttempt): Promise<boolean>;

  /** The last attempt failed: the message waits for the operator. */
  dead(seq: number, status: number | null, error: string, durationMs?: number): Promise<void>;

  /**
   * A message that can't be read, or whose outcome can't be written, since a page is damaged. It becomes a dead letter.
   * Where its state can't be written either it stays as it is on the page, is counted as dead, and passed over.
   */
  giveUp(seq: number, wasDetached: boolean): Promise<void>;

  /** The same for one that Hot Bags has answered: its commands are recorded, as `delivered` would have done. */
  giveUpDelivered(
    message: PendingMessage,
    wasDetached: boolean,
    commands: CommandFromResponse[],
  ): Promise<RecordedCommand[]>;
}
