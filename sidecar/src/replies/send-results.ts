import type { Logger } from "pino";
import type { SendOutcome } from "../gateway/index.ts";
import type { Rest, Verdict } from "../lanes.ts";
import {
  type AnswerTimes,
  isDamage,
  type NextCommand,
  RESTORE,
  type SettledState,
  type SharedStore,
  type WaitingCommand,
} from "../store/index.ts";
import type { StoreFaults } from "../store-faults.ts";
import type { Cause } from "./cause.ts";
import { commandLog } from "./command-log.ts";

/** What came of a send, and what becomes of its chat once that is written down. */
interface SendResult {
  command: NextCommand;
  outcome: SendOutcome;
  verdict: Verdict<Cause>;
  /** What the operator has to do before replies go out again, where that was not said yet. */
  raised: string | null;
  /** When the gateway has answered, wall-clock ms: it may be written down much later. */
  at: number;
}

interface Unwritten extends SendResult {
  /** The store has it, and writes it with what it writes next; resolves then, whatever came of it. */
  onItsWay: Promise<void> | null;
}

interface SendResultsParts {
  store: SharedStore;
  log: Logger;
  faults: StoreFaults;
  /** Told of each result that is on disk. */
  onWritten(command: WaitingCommand, outcome: SendOutcome): void;
  /** Told of each reply that went out, once that is on disk. */
  onSent?: ((at: number, times: AnswerTimes, account: string) => void) | undefined;
}

/**
 * What came of sends, until that is on disk: a send can't be undone, and must not look as if it were still to do. One
 * result a chat at a time.
 */
export class SendResults {
  readonly #parts: SendResultsParts;
  readonly #unwritten = new Map<number, Unwritten>();

  constructor(parts: SendResultsParts) {
    this.#parts = parts;
  }

  /** How many the store is about to write. */
  get onTheirWay(): number {
    return [...this.#unwritten.values()].filter(({ onItsWay }) => onItsWay !== null).length;
  }

  /** Chats with a result that is not on disk. */
  get unwritten(): number[] {
    return [...this.#unwritten.keys()];
  }

  /** The account is another process's, which has found what was being sent in doubt: it finds out what became of that. */
  letGo(account: string): void {
    for (const [chat, { command }] of this.#unwritten) if (command.account_id === account) this.#unwritten.delete(chat);
  }

  /** Whether a result of the chat has to be written before anything else. */
  isHeldUp(chat: number): boolean {
    return this.#unwritten.get(chat)?.onItsWay === null;
  }

  /** The chat's reply whose result the store is about to write; null: there is none. */
  onItsWay(chat: number): number | null {
    const result = this.#unwritten.get(chat);
    return result?.onItsWay ? result.command.id : null;
  }

  add(result: SendResult): void {
    this.#unwritten.set(result.command.chat, { ...result, onItsWay: null });
  }

  /** Whether nothing is to be done but to write the chat's result down: it was sent, and the chat does not rest for it. */
  canWait(chat: number): boolean {
    const result = this.#unwritten.get(chat);
    return result?.outcome.kind === "sent" && result.verdict === "more";
  }

  /**
   * Writes the chat's result down with whatever is written next: nobody waits for it. Resolves with whether it is on disk; where
   * it is not, it is as if this had not been called.
   */
  async writeLater(chat: number): Promise<boolean> {
    const result = this.#unwritten.get(chat);
    if (!result) return true;
    const ended = Promise.withResolvers<void>();
    result.onItsWay = ended.promise;
    try {
      await this.#settle(result, "later");
      this.#over(result);
      return true;
    } catch {
      // Not told: it is tried again at once as one that somebody waits for, and told if that fails.
      return false;
    } finally {
      result.onItsWay = null;
      ended.resolve();
    }
  }

  /** Writes the chat's result down: before anything else of the chat, and again until the disk takes it. */
  async write(chat: number): Promise<Verdict<Cause>> {
    await this.#unwritten.get(chat)?.onItsWay;
    const result = this.#unwritten.get(chat);
    if (!result) return "more";
    const { command, outcome } = result;
    let { verdict } = result;
    try {
      const hasNext = await this.#settle(result, "now");
      if (verdict === "more" && !hasNext) verdict = "empty";
    } catch (error) {
      if (!isDamage(error)) throw error;
      const to = outcome.kind === "not_sent" ? "failed" : outcome.kind;
      const rest = await this.giveUp(command.id, "sending", to, error);
      if (rest) return rest;
    }
    this.#over(result);
    return verdict;
  }

  #over(result: Unwritten): void {
    const { id, chat } = result.command;
    this.#parts.faults.forget(id);
    if (this.#unwritten.get(chat) === result) this.#unwritten.delete(chat);
  }

  /** Nothing of it was sent, and nothing will be: the gateway was not asked. */
  async refuse(command: WaitingCommand, reason: string): Promise<Verdict<Cause>> {
    const { store, log, faults } = this.#parts;
    try {
      await store.commands.refused(command.id, reason);
      faults.forget(command.id);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return (await this.giveUp(command.id, "pending", "failed", error)) ?? "more";
    }
    commandLog(log, command).error({ alarm: true }, `reply not sent: ${reason}`);
    return "more";
  }

  /**
   * A damaged page keeps a command from being read or its state from being written: for what its chat rests, or null
   * once it is given up. It counts as `to` then, and the chat goes on behind it.
   */
  async giveUp(
    id: number,
    from: "pending" | "sending",
    to: SettledState,
    error: unknown,
  ): Promise<Rest<"store"> | null> {
    const { store, log, faults } = this.#parts;
    const rest = faults.damaged(id, error);
    if (rest) return rest;
    await store.commands.passOver(id, from, to);
    faults.forget(id);
    const what = from === "pending" ? "given up, it is not sent" : `the reply is ${to}, but that can't be written`;
    const about = { command: id, err: error, alarm: true };
    log.error(about, `command ${id} can't be read or written; ${what}. ${RESTORE}`);
    return null;
  }

  /** Resolves with whether more may wait in the chat. */
  async #settle({ command, outcome, raised, at }: SendResult, when: "now" | "later"): Promise<boolean> {
    const { commands } = this.#parts.store;
    let hasNext = true;
    if (outcome.kind === "not_sent") await commands.notSent(command.id, outcome);
    else {
      const { reason, said = null } = outcome.kind === "sent" ? { reason: null } : outcome;
      const whatsappMessageId = outcome.kind === "sent" ? outcome.whatsappMessageId : null;
      const partial = outcome.kind === "in_doubt" && outcome.partial === true;
      const settlement = { reason, said, whatsappMessageId, partial };
      if (when === "now") hasNext = await commands.settled(command.id, outcome.kind, settlement);
      else await commands.settledLater(command.id, outcome.kind, settlement);
      if (outcome.kind === "sent") this.#parts.onSent?.(at, command.times, command.account_id);
    }
    announce(outcome, raised, commandLog(this.#parts.log, command));
    this.#parts.onWritten(command, outcome);
    return hasNext;
  }
}

/** One line, whatever it is. */
function announce(outcome: SendOutcome, raised: string | null, log: Logger): void {
  switch (outcome.kind) {
    case "sent":
      return log.info({ whatsapp_message_id: outcome.whatsappMessageId }, "reply sent");
    case "queued_by_gateway":
      return log.warn(`reply handed over, the gateway sends it later: ${outcome.reason}`);
    case "not_sent":
      if (raised === null) return log.warn(`not sent, will be tried again: ${outcome.reason}`);
      return log.error({ alarm: true }, `replies wait: ${outcome.reason}. ${raised}`);
    case "failed":
      return log.error({ alarm: true }, `reply not sent: ${outcome.reason}`);
    case "in_doubt":
      if (outcome.partial !== true) return log.warn(`it is not known whether the reply was sent: ${outcome.reason}`);
      return log.error(
        { alarm: true },
        `the customer has a part of the reply, and gets no more of it: ${outcome.reason}`,
      );
  }
}
