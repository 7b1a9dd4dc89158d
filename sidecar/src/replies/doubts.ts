import { transportSessionId } from "@hotbags/shared";
import type { Logger } from "pino";
import { type Backoff, Retries } from "../backoff.ts";
import type { Clock, Timers } from "../clock.ts";
import { type Gateway, type SendOutcome, stillRemembers } from "../gateway/index.ts";
import { type Admission, LaneRunner } from "../lane-runner.ts";
import type { Verdict } from "../lanes.ts";
import { isDamage, RowUnreadableError, type Store } from "../store/index.ts";
import { RESTORE, StoreFaults } from "../store-faults.ts";
import type { Observations } from "./observations.ts";
import { type Doubt, MAX_OPEN_DOUBTS, OpenDoubts, type Proof } from "./open-doubts.ts";

/** A gateway that can't say what it knows is asked this often before its silence counts as an answer. */
const MAX_QUESTIONS = 3;

/** Waits between these questions. */
const UNANSWERED_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 10_000 };

/**
 * Chats whose doubts are looked into at once: of urgent ones, as many as can have been sending when the last run
 * ended, and of all others. Reading a transcript can take the gateway half a minute.
 */
const URGENT_CONCURRENCY = 8;
const OTHER_CONCURRENCY = 1;

/** Stands for the process of a gateway that does not say which one it is. */
const NAMELESS = "";

/** Why a lane rests: the gateway could not say what it knows; the store could not be read or written. */
type Cause = "unanswered" | "store";

interface DoubtsParts {
  store: Store;
  gateway: Gateway;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
  observations: Observations;
  /** Whether a send is under way in this chat. */
  isSending(chat: number): boolean;
  /** Told of a chat when `blocks` may be over. */
  onSettled(chat: number): void;
}

/**
 * Commands that may or may not have been sent. Each is settled where there is proof: the gateway's transcript holds
 * its key, or the gateway was seen to send it, or the same gateway process still remembers the key, so that asking
 * again can't send twice. Each gateway process is asked once. Without proof a doubt is raised once, over restarts
 * too, stays for the operator, and is never sent again.
 */
export class Doubts {
  readonly #parts: DoubtsParts;
  readonly #open = new OpenDoubts();
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

  /** What the last run was sending when it ended is in doubt now. */
  async takeOver(): Promise<void> {
    const { store } = this.#parts;
    const reason = "the sidecar ended while it was being sent";
    for (const id of this.#list("sent", () => store.commands.interrupted())) {
      const command = await this.#read(id, "sending", () => store.commands.get(id));
      if (!command) continue;
      await store.commands.settled(id, "in_doubt", { reason, whatsappMessageId: null });
      const { account_id: accountId, message_id: messageId, command_id: commandId } = command;
      this.#logOf({ accountId, messageId, commandId }).warn(`it is not known whether the reply was sent: ${reason}`);
    }
    for (const id of this.#list("in doubt", () => store.commands.inDoubt(MAX_OPEN_DOUBTS)).reverse()) {
      const command = await this.#read(id, "in_doubt", () => store.commands.doubt(id));
      if (command) this.#open.add(command);
    }
  }

  /** A command was settled as `in_doubt` just now. */
  add(id: number): void {
    const command = this.#parts.store.commands.doubt(id);
    if (command) this.#offer(this.#open.add(command));
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
      if (doubt.chatId !== chatId || doubt.accountId !== accountId || !this.#claimObservation(doubt)) continue;
      this.#offer(doubt);
    }
  }

  /**
   * Whether a doubt of this chat could still be sent by asking for it again: later replies wait for that, or they
   * would overtake it.
   */
  blocks(chat: number): boolean {
    return this.#open.of(chat).some((doubt) => this.#isBlocking(doubt));
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([this.#urgent.stop(), this.#others.stop()]);
  }

  /** Commands by id. A list that can't be read must not keep the sidecar from starting. */
  #list(what: string, read: () => number[]): number[] {
    try {
      return read();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#parts.log.error({ err: error, alarm: true }, `which replies were ${what} can't be read. ${RESTORE}`);
      return [];
    }
  }

  /**
   * A row that can't be read is given up: it must not keep the others from being looked into, nor the sidecar from
   * starting.
   */
  async #read<T>(id: number, state: "sending" | "in_doubt", read: () => T): Promise<T | undefined> {
    const { store, log } = this.#parts;
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RowUnreadableError)) throw error;
      await store.commands.passOver(id, state, "in_doubt");
      log.error({ command: id, alarm: true }, `${error.message}; it may have been sent or not. ${RESTORE}`);
      return undefined;
    }
  }

  /** Asks about one kind of a chat's doubts, in their order. Throws when the store fails. */
  async #lookInto(chat: number, urgent: boolean): Promise<Verdict<Cause>> {
    const { gateway, clock, onSettled } = this.#parts;
    const askable = this.#open.of(chat).filter((doubt) => this.#isAskable(doubt));
    const mine = askable.filter((doubt) => this.#isUrgent(doubt) === urgent);
    for (const doubt of askable) if (!mine.includes(doubt)) this.#offer(doubt);
    const asked = this.#process;
    const first = mine.find(({ proof }) => proof === null);
    const keys = first && asked !== null ? await gateway.history(first.accountId, first.chatId) : null;
    for (const doubt of mine) {
      if (doubt.proof === null && asked !== null) await this.#ask(doubt, keys, asked);
      if (doubt.proof) await this.#settle(doubt, doubt.proof);
    }
    onSettled(chat);
    this.#faults.passed(urgent ? chat : -chat);
    if (mine.some((doubt) => this.#open.has(doubt) && this.#isAskable(doubt)))
      return { cause: "unanswered", until: clock.uptimeMs() + this.#unanswered.add(chat).waitMs };
    this.#unanswered.clear(chat);
    return "empty";
  }

  /** Looks for the proof of one doubt: sets it, or notes that this process has none. */
  async #ask(doubt: Doubt, keys: ReadonlySet<string> | null, asked: string): Promise<void> {
    if (this.#claimObservation(doubt)) return;
    if (keys?.has(doubt.commandId)) {
      doubt.proof = { state: "sent", how: "the gateway's transcript holds its key", whatsappMessageId: null };
      return;
    }
    const answer = await this.#askAgain(doubt);
    if (answer === "sent" || answer === "queued_by_gateway") {
      doubt.proof = { state: answer, how: "the gateway still remembered its key", whatsappMessageId: null };
      return;
    }
    doubt.questions += 1;
    if (keys !== null || doubt.questions >= MAX_QUESTIONS) await this.#askedInVain(doubt, asked);
  }

  async #askAgain(doubt: Doubt): Promise<SendOutcome["kind"]> {
    const { store, gateway, clock } = this.#parts;
    const { gatewayProcess: processId, sendingAt: at } = doubt;
    if (at === null || processId === null) return "in_doubt";
    const first = { processId, at, sendsSince: store.commands.sendsSince(at) };
    if (!stillRemembers(gateway.process, first, clock.now())) return "in_doubt";
    const text = store.commands.get(doubt.id)?.text ?? "";
    doubt.isAskedAgain = true;
    try {
      const { accountId, chatId: to, commandId } = doubt;
      return (await gateway.askAgain({ accountId, to, text, commandId }, first)).kind;
    } finally {
      doubt.isAskedAgain = false;
    }
  }

  /** Says so before it is written down: a crash in between repeats the alarm, and loses none. */
  async #askedInVain(doubt: Doubt, asked: string): Promise<void> {
    if (!doubt.isAlarmed) {
      doubt.isAlarmed = true;
      this.#logOf(doubt).error(
        { alarm: true },
        "in doubt: nothing proves that this reply was sent, nor that it was not; look at the phone",
      );
    }
    await this.#parts.store.commands.askedInVain(doubt.id, asked === NAMELESS ? null : asked);
    doubt.askedProcess = asked;
    doubt.questions = 0;
  }

  #claimObservation(doubt: Doubt): boolean {
    const { accountId, chatId, textSha256, sendingAt } = doubt;
    if (sendingAt === null || doubt.proof !== null || this.#parts.isSending(doubt.chat)) return false;
    const observation = this.#parts.observations.claim({ accountId, chatId, textSha256, sendingAt });
    if (!observation) return false;
    const { whatsappMessageId } = observation;
    doubt.proof = { state: "sent", how: "the gateway was seen to send it", whatsappMessageId };
    return true;
  }

  async #settle(doubt: Doubt, { state, how, whatsappMessageId }: Proof): Promise<void> {
    await this.#parts.store.commands.proven(doubt.id, state, whatsappMessageId);
    this.#open.delete(doubt);
    this.#logOf(doubt).info(`no longer in doubt, ${state}: ${how}`);
  }

  /** The gateway process that can be asked now; null while there is none. */
  get #process(): string | null {
    const { link, process } = this.#parts.gateway.state;
    return link === "up" ? (process?.id ?? NAMELESS) : null;
  }

  #isAskable(doubt: Doubt): boolean {
    const process = this.#process;
    return doubt.proof !== null || (process !== null && process !== doubt.askedProcess);
  }

  #isUrgent(doubt: Doubt): boolean {
    return doubt.proof !== null || this.#isBlocking(doubt);
  }

  #isBlocking(doubt: Doubt): boolean {
    if (doubt.isAskedAgain) return true;
    const { gatewayProcess: processId, sendingAt: at } = doubt;
    if (at === null || processId === null || doubt.proof !== null || !this.#isAskable(doubt)) return false;
    // Whether the gateway has pushed it out by number is looked up when it is asked.
    const first = { processId, at, sendsSince: 0 };
    return stillRemembers(this.#parts.gateway.process, first, this.#parts.clock.now());
  }

  #offer(doubt: Doubt): void {
    if (this.#isAskable(doubt)) (this.#isUrgent(doubt) ? this.#urgent : this.#others).offer(doubt.chat);
  }

  #logOf({ accountId, messageId, commandId }: Pick<Doubt, "accountId" | "messageId" | "commandId">): Logger {
    const session = transportSessionId(accountId);
    return this.#parts.log.child({ transport_session_id: session, message_id: messageId, command_id: commandId });
  }
}
