import type { Backoff } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import { type Admission, LaneRunner } from "../lane-runner.ts";
import type { Verdict } from "../lanes.ts";
import { Retries } from "../retries.ts";
import { type DoubtfulCommand, isDamage, RESTORE, type SharedStore } from "../store/index.ts";
import { StoreFaults } from "../store-faults.ts";
import { commandLog } from "./command-log.ts";
import { type FollowedCommand, idsOf } from "./followed-command.ts";
import { type Doubt, OpenDoubts, type Proof } from "./open-doubts.ts";
import { ProofSearch, type ProofSearchParts } from "./proof-search.ts";
import { recallDoubts, recoverDoubts } from "./recover-doubts.ts";

/** Waits before a gateway that could not say what it knows is asked again. */
const UNANSWERED_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 10_000 };

/**
 * Chats whose doubts are looked into at once: of urgent ones, as many as the gateway of a shop can have been sending
 * when the last run ended, and of all others. Reading a transcript can take the gateway half a minute.
 */
const URGENT_CONCURRENCY = 8;
const OTHER_CONCURRENCY = 1;

/** Why a lane rests: the gateway could not say what it knows; the store could not be read or written. */
type Cause = "unanswered" | "store";

interface DoubtsParts extends ProofSearchParts {
  store: SharedStore;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
  /** Told of a chat when `blocks` may be over. */
  onSettled(chat: number): void;
  /** Told of a command that turned out to be in OpenClaw's own queue. */
  onHandedOver(command: FollowedCommand): void;
}

/**
 * Commands that may or may not have been sent. Each is settled where a proof is found. Without one it stays for the
 * operator, and is never sent again.
 */
export class Doubts {
  readonly #parts: DoubtsParts;
  readonly #open = new OpenDoubts();
  /** Those that are asked for again, or resolved by the operator, at this moment: never both at once. */
  readonly #claimed = new Set<number>();
  readonly #search: ProofSearch;
  readonly #faults: StoreFaults;
  /** By chat. */
  readonly #unanswered: Retries<number>;
  /**
   * A lane a chat: those of its doubts that block its replies, or are settled as soon as that is written. They never
   * wait for the others.
   */
  readonly #urgent: LaneRunner<Cause>;
  /** A lane a chat: all others. */
  readonly #others: LaneRunner<Cause>;
  readonly #unsubscribe: () => void;

  constructor(parts: DoubtsParts) {
    this.#parts = parts;
    this.#search = new ProofSearch(parts);
    this.#faults = new StoreFaults(parts);
    this.#unanswered = new Retries(UNANSWERED_BACKOFF, parts.random);
    const { clock, timers } = parts;
    const gate = (): Admission => (this.#faults.isOutage ? { notBefore: Number.POSITIVE_INFINITY } : "due");
    this.#urgent = new LaneRunner({
      clock,
      timers,
      gate,
      concurrency: URGENT_CONCURRENCY,
      run: (chat) => this.#lookInto(chat, true),
      failed: (chat, error) => this.#faults.failed(chat, error),
    });
    this.#others = new LaneRunner({
      clock,
      timers,
      gate,
      concurrency: OTHER_CONCURRENCY,
      run: (chat) => this.#lookInto(chat, false),
      failed: (chat, error) => this.#faults.failed(-chat, error),
    });
    this.#unsubscribe = this.#faults.onRecovery(() => {
      this.#urgent.release("store");
      this.#others.release("store");
    });
  }

  /**
   * What the last run was sending when it ended is in doubt now; or the last owner of this account. `underWay`: chats in
   * which this run sends.
   */
  async takeUp(account: string | undefined, underWay: ReadonlySet<number>): Promise<void> {
    await recoverDoubts(this.#parts, this.#open, { account, underWay });
    for (const doubt of this.#open.all) if (doubt.accountId === account) this.#offer(doubt);
  }

  /** Another process has written something of the account: a doubt may be resolved, and another one may have come. */
  async look(account: string): Promise<void> {
    const { store, onSettled } = this.#parts;
    for (const doubt of this.#open.all) {
      if (doubt.accountId !== account || this.#claimed.has(doubt.id)) continue;
      if (await store.commands.doubt(doubt.id)) continue;
      this.#open.delete(doubt);
      onSettled(doubt.chat);
    }
    await recallDoubts(this.#parts, this.#open, account);
    for (const doubt of this.#open.all) if (doubt.accountId === account) this.#offer(doubt);
  }

  /** The account is another process's: nobody here asks about its doubts any more. */
  letGo(account: string): void {
    for (const doubt of this.#open.all) if (doubt.accountId === account) this.#open.delete(doubt);
  }

  /** A command was settled as `in_doubt` just now. */
  add(command: DoubtfulCommand): void {
    this.#offer(this.#open.add(command));
  }

  /** OpenClaw has a reply no longer in its queue, and nothing tells what became of it. */
  addHandover(command: FollowedCommand): void {
    this.#offer(this.#open.addHandover(command));
  }

  /**
   * Looks into every doubt that the present gateway has not been asked about. To be called when its state has
   * changed.
   */
  ask(): void {
    for (const doubt of this.#open.all) this.#offer(doubt);
  }

  /** The gateway was seen to send something in this chat: it may settle a doubt, also one that the gateway could not answer for. */
  observed(accountId: string, chatId: string): void {
    for (const doubt of this.#open.all) {
      if (doubt.chatId !== chatId || doubt.accountId !== accountId || !this.#search.claimObservation(doubt)) continue;
      this.#offer(doubt);
    }
  }

  /**
   * Whether a doubt of this chat could still be sent by asking for it again: later replies wait for that, or they
   * would overtake it.
   */
  blocks(chat: number): boolean {
    return this.#open.of(chat).some((doubt) => this.#search.mayBeSent(doubt));
  }

  /**
   * Has the operator resolve a doubt while nobody asks for it again, which could send it. Resolves with null, and does
   * nothing, where that is being done.
   */
  async resolving<Result>(id: number, resolve: () => Promise<Result>): Promise<Result | null> {
    if (this.#claimed.has(id)) return null;
    this.#claimed.add(id);
    try {
      return await resolve();
    } finally {
      this.#claimed.delete(id);
    }
  }

  /** The operator has resolved a command that was in doubt: nobody is asked about it any more. */
  forget(id: number): void {
    const doubt = this.#open.get(id);
    if (doubt) this.#open.delete(doubt);
  }

  /** Whether a command of this chat with this text is in doubt. */
  isInDoubt(chat: number, textSha256: string): boolean {
    return this.#open.of(chat).some((doubt) => doubt.textSha256 === textSha256);
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([this.#urgent.stop(), this.#others.stop()]);
  }

  /** Asks about one kind of a chat's doubts, in their order. Throws when the store fails. */
  async #lookInto(chat: number, urgent: boolean): Promise<Verdict<Cause>> {
    const { clock, gateway, onSettled } = this.#parts;
    const asked = gateway.process?.id;
    const askable = this.#open.of(chat).filter((doubt) => this.#isAskable(doubt));
    const mine = askable.filter((doubt) => this.#isUrgent(doubt) === urgent);
    for (const doubt of askable) if (!mine.includes(doubt)) this.#offer(doubt);
    const first = mine.find(({ proof }) => proof === null);
    const transcript = first ? await this.#search.readTranscript(first) : null;
    for (const doubt of mine) {
      if (!this.#open.has(doubt) || this.#claimed.has(doubt.id)) continue;
      this.#claimed.add(doubt.id);
      try {
        if (doubt.proof === null && transcript) await this.#search.ask(doubt, transcript);
        if (doubt.proof) await this.#settle(doubt, doubt.proof);
      } finally {
        this.#claimed.delete(doubt.id);
      }
    }
    onSettled(chat);
    this.#faults.passed(urgent ? chat : -chat);
    if (mine.some((doubt) => this.#open.has(doubt) && this.#isAskable(doubt))) {
      // Another process has begun meanwhile: that is no silence, and it was not asked yet.
      if (gateway.process?.id !== asked) return "more";
      return { cause: "unanswered", until: clock.uptimeMs() + this.#unanswered.add(chat).waitMs };
    }
    this.#unanswered.clear(chat);
    return "empty";
  }

  async #settle(doubt: Doubt, { state, how, whatsappMessageId }: Proof): Promise<void> {
    const { commands } = this.#parts.store;
    const log = commandLog(this.#parts.log, idsOf(doubt));
    try {
      await commands.proven(doubt.id, state, whatsappMessageId);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await commands.passOver(doubt.id, "in_doubt", state);
      log.error({ err: error, alarm: true }, `the reply is ${state}, but that can't be written. ${RESTORE}`);
    }
    this.#open.delete(doubt);
    log.info(`no longer in doubt, ${state}: ${how}`);
    if (state === "queued_by_gateway") this.#parts.onHandedOver(doubt);
  }

  #isAskable(doubt: Doubt): boolean {
    return doubt.proof !== null || this.#search.isAskable(doubt);
  }

  #isUrgent(doubt: Doubt): boolean {
    return doubt.proof !== null || this.#search.mayBeSent(doubt);
  }

  #offer(doubt: Doubt): void {
    if (this.#isAskable(doubt)) (this.#isUrgent(doubt) ? this.#urgent : this.#others).offer(doubt.chat);
  }
}
