import { type Backoff, steadyBackoffMs } from "@hotbags/shared";
import type { Logger } from "pino";
import { type HandOver, type PendingMessage, RESTORE, type RecordedCommand, type SharedStore } from "../store/index.ts";
import { announce } from "./announce.ts";
import type { Judgement } from "./judge.ts";
import type { Outcome } from "./outcome.ts";
import type { Posted } from "./poster.ts";
import type { Symptom } from "./symptom.ts";

export type Answered = Extract<Outcome, { kind: "answered" }>;

/** The wait of a message out of its lane that was the probe, ms. */
const POSTPONED_MS = 60_000;

/** Has an answer recorded by `record`, and resolves and rejects as that does. */
export type AnswerRecorder = (
  message: PendingMessage,
  record: (handOver?: HandOver) => Promise<RecordedCommand[]>,
) => Promise<RecordedCommand[]>;

interface SettlementParts {
  store: SharedStore;
  log: Logger;
  random: () => number;
  /** Waits of one message between its attempts. */
  backoff: Backoff;
  /** A message is a dead letter after so much time spent retrying. */
  maxRetryingMs: number;
  /** Hands over a message's first reply with its record, where that can go at once. */
  answer?: AnswerRecorder | undefined;
  /** Told of a chat that has new commands to send, or whose pause has begun or ended. */
  onCommands(chat: number): void;
  /** Told of a new command that is in doubt from the beginning. */
  onDoubt(id: number): void;
}

/** Writes down what came of a message, and says so in the log. Throws when the store fails. */
export class Settlement {
  #parts: SettlementParts;

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  /** Goes on with other limits. */
  adopt(limits: Pick<SettlementParts, "backoff" | "maxRetryingMs">): void {
    this.#parts = { ...this.#parts, ...limits };
  }

  async delivered({ message, durationMs, log }: Posted, { status, response, commands }: Answered): Promise<void> {
    const { store, answer } = this.#parts;
    const record = (handOver?: HandOver) =>
      store.messages.delivered(message.seq, status, response, commands, durationMs, handOver);
    const recorded = answer && commands.length > 0 ? await answer(message, record) : await record();
    log.info({ status, attempts: message.attempts + 1, commands: recorded.length }, "delivered to Hot Bags");
    this.#tell(recorded, message.chat, log);
  }

  /**
   * An attempt failed. Returns how long the message waits, ms; null: it is a dead letter. The last attempt is made when
   * the time is over, not some time before.
   */
  async failed(
    { message, durationMs, log }: Posted,
    symptom: Symptom,
    judgement: Judgement,
    detach: boolean,
  ): Promise<number | null> {
    const { store, random, backoff, maxRetryingMs } = this.#parts;
    const { rule, text, isAlarm } = judgement;
    const { status } = symptom;
    const attempts = message.attempts + 1;
    const left = maxRetryingMs - message.retrying_ms;
    if (left <= 0) {
      await store.messages.dead(message.seq, status, text, durationMs);
      log.error({ status, rule: rule.name, attempts, alarm: true }, `${text}; given up, it is a dead letter now`);
      return null;
    }
    const wait = Math.max(steadyBackoffMs(backoff, attempts, random), symptom.retryAfterMs ?? 0);
    const waitMs = Math.min(wait, left);
    const nextAttemptAt = store.provenNow() + waitMs;
    await store.messages.failed(message.seq, { error: text, status, durationMs, nextAttemptAt, waitMs, detach });
    const about = { status, rule: rule.name, attempts, wait_ms: waitMs, detached: detach };
    if (isAlarm) log.error({ ...about, alarm: true }, text);
    else log.warn(about, text);
    return waitMs;
  }

  /**
   * An attempt of a message that is out of its lane failed while all are held: that costs none of its hours, but it is
   * another one's turn before it is asked again. Returns how long it waits, ms.
   */
  async postpone({ message, durationMs }: Posted, { status }: Symptom, { text }: Judgement): Promise<number> {
    const { store } = this.#parts;
    const nextAttemptAt = store.provenNow() + POSTPONED_MS;
    const attempt = { error: text, status, durationMs, nextAttemptAt, waitMs: 0, detach: true };
    await store.messages.failed(message.seq, attempt);
    return POSTPONED_MS;
  }

  /** Hot Bags takes no body of this size: the message goes on without its files. Resolves with it as it is then. */
  async leaveFilesOut(message: PendingMessage, log: Logger): Promise<PendingMessage> {
    log.warn({ status: 413 }, "Hot Bags answered 413: the message goes once more, without the bytes of its files");
    return this.#parts.store.messages.leaveFilesOut(message);
  }

  /**
   * Goes on without a message that a damaged page keeps from being read or settled. What Hot Bags has answered is not
   * lost.
   */
  async giveUp(seq: number, wasDetached: boolean, posted: Posted | undefined, error: unknown): Promise<void> {
    const { store } = this.#parts;
    const log = posted?.log ?? this.#parts.log.child({ seq });
    if (posted?.outcome.kind === "answered") {
      const { message, outcome } = posted;
      const recorded = await store.messages.giveUpDelivered(message, wasDetached, outcome.commands);
      log.error({ err: error, alarm: true }, `delivered to Hot Bags, but that can't be written. ${RESTORE}`);
      this.#tell(recorded, message.chat, log);
    } else {
      await store.messages.giveUp(seq, wasDetached);
      const what = "can't be read or written; given up, it is a dead letter now";
      log.error({ err: error, alarm: true }, `message ${seq} ${what}. ${RESTORE}`);
    }
  }

  #tell(recorded: readonly RecordedCommand[], chat: number, log: Logger): void {
    const { onCommands, onDoubt } = this.#parts;
    announce(recorded, log);
    for (const { id, outcome } of recorded) if (id !== null && outcome === "in_doubt") onDoubt(id);
    if (recorded.some(concernsReplies)) onCommands(chat);
  }
}

function concernsReplies({ outcome }: RecordedCommand): boolean {
  return outcome === "pending" || outcome === "done";
}
