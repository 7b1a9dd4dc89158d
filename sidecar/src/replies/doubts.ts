import { transportSessionId } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { type Gateway, literal, stillRemembers } from "../gateway/index.ts";
import type { Store, WaitingCommand } from "../store/index.ts";
import type { Observations } from "./observations.ts";

/** A gateway that can't say what it knows is asked this often before its silence counts as an answer. */
const MAX_QUESTIONS = 3;

/** Doubts from earlier runs that are looked into again at start. Older ones are the operator's. */
const MAX_TAKEN_OVER = 1_000;

interface Doubt {
  command: WaitingCommand;
  /** The gateway process that has been asked in vain; another one may know more. */
  askedProcess: string | null;
  questions: number;
}

/**
 * Commands that may or may not have been sent. Each is settled where there is proof: the gateway's transcript holds its key, or the gateway was seen to send it, or the same gateway
 * process still remembers the key, so that asking again can't send twice. Without proof it stays in doubt for the operator, and is never sent again.
 */
export class Doubts {
  readonly #store: Store;
  readonly #gateway: Gateway;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #observations: Observations;
  readonly #isSending: (chat: number) => boolean;
  readonly #open = new Map<number, Doubt>();
  #pass: Promise<void> | null = null;
  #stopped = false;

  constructor(parts: {
    store: Store;
    gateway: Gateway;
    clock: Clock;
    log: Logger;
    observations: Observations;
    isSending(chat: number): boolean;
  }) {
    this.#isSending = parts.isSending;
    this.#observations = parts.observations;
    this.#store = parts.store;
    this.#gateway = parts.gateway;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /** What the last run was sending when it ended is in doubt now. */
  async takeOver(): Promise<void> {
    for (const command of this.#store.commands.interrupted()) {
      const reason = "the sidecar ended while it was being sent";
      await this.#store.commands.settled(command.id, "in_doubt", { reason, whatsappMessageId: null });
      this.#logOf(command).warn(`it is not known whether the reply was sent: ${reason}`);
    }
    for (const command of this.#store.commands.inDoubt(MAX_TAKEN_OVER)) this.#remember(command);
  }

  /** A command was settled as `in_doubt` just now. */
  add(id: number): void {
    const command = this.#store.commands.get(id);
    if (command) this.#remember(command);
  }

  /** The gateway was seen to send something in this chat: it may settle a doubt, also one that the gateway could not answer for. */
  async observed(chatId: string): Promise<void> {
    for (const doubt of [...this.#open.values()]) {
      if (doubt.command.chat_id !== chatId) continue;
      try {
        await this.#observed(doubt);
      } catch (error) {
        this.#logOf(doubt.command).error({ err: error, alarm: true }, "a doubt can't be settled in the database");
      }
    }
  }

  /** Whether a doubt of this chat can still be looked into: later replies wait for that, or they would overtake. */
  pendingIn(chat: number): boolean {
    for (const doubt of this.#open.values()) if (doubt.command.chat === chat && this.#askable(doubt)) return true;
    return false;
  }

  /** Looks into every open doubt that the present gateway has not been asked about. Never rejects; one pass at a time. */
  resolve(): Promise<void> {
    this.#pass ??= this.#run().finally(() => {
      this.#pass = null;
    });
    return this.#pass;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#pass;
  }

  async #run(): Promise<void> {
    for (const doubt of [...this.#open.values()]) {
      if (this.#stopped) return;
      if (!this.#askable(doubt)) continue;
      try {
        await this.#ask(doubt);
      } catch (error) {
        this.#logOf(doubt.command).error({ err: error, alarm: true }, "a doubt can't be settled in the database");
      }
    }
  }

  async #ask(doubt: Doubt): Promise<void> {
    const { command } = doubt;
    const process = this.#gateway.process?.id ?? null;
    if (await this.#observed(doubt)) return;
    const keys = await this.#gateway.history(command.account_id, command.chat_id);
    if (keys?.has(command.command_id)) return this.#proven(doubt, "sent", "the gateway's transcript holds its key");
    const answer = await this.#askAgain(command);
    if (answer === "sent" || answer === "queued_by_gateway")
      return this.#proven(doubt, answer, "the gateway still remembered its key");
    doubt.questions += 1;
    if (keys !== null || doubt.questions >= MAX_QUESTIONS) {
      doubt.askedProcess = process;
      this.#logOf(command).error(
        { alarm: true },
        "in doubt: nothing proves that this reply was sent, nor that it was not; look at the phone",
      );
    }
  }

  async #askAgain(command: WaitingCommand): Promise<string> {
    if (command.sending_at === null || command.gateway_process === null) return "in_doubt";
    const sendsSince = this.#store.commands.sendsSince(command.sending_at);
    const first = { processId: command.gateway_process, at: command.sending_at, sendsSince };
    if (!stillRemembers(this.#gateway.process, first, this.#clock.now())) return "in_doubt";
    const outcome = await this.#gateway.askAgain(
      { accountId: command.account_id, to: command.chat_id, text: command.text, commandId: command.command_id },
      first,
    );
    return outcome.kind;
  }

  async #observed(doubt: Doubt): Promise<boolean> {
    const { account_id: accountId, chat_id: chatId, text, sending_at: sendingAt } = doubt.command;
    if (sendingAt === null || this.#isSending(doubt.command.chat)) return false;
    // The gateway tells of the text as it was given to it.
    const observation = this.#observations.claim({ accountId, chatId, text: literal(text), sendingAt });
    if (!observation) return false;
    await this.#proven(doubt, "sent", "the gateway was seen to send it", observation.whatsappMessageId);
    return true;
  }

  async #proven(
    doubt: Doubt,
    state: "sent" | "queued_by_gateway",
    how: string,
    whatsappMessageId: string | null = null,
  ): Promise<void> {
    await this.#store.commands.proven(doubt.command.id, state, whatsappMessageId);
    this.#open.delete(doubt.command.id);
    this.#logOf(doubt.command).info(`no longer in doubt, ${state}: ${how}`);
  }

  #askable(doubt: Doubt): boolean {
    const { process } = this.#gateway;
    return process !== null && process.id !== doubt.askedProcess;
  }

  #remember(command: WaitingCommand): void {
    this.#open.set(command.id, { command, askedProcess: null, questions: 0 });
  }

  #logOf(command: WaitingCommand): Logger {
    const { account_id, message_id, command_id } = command;
    return this.#log.child({ transport_session_id: transportSessionId(account_id), message_id, command_id });
  }
}
