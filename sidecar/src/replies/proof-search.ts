import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { callOf } from "../commands/index.ts";
import { type Gateway, type GatewayCall, type SendOutcome, stillRemembers } from "../gateway/index.ts";
import { isDamage, type SharedStore } from "../store/index.ts";
import { commandLog } from "./command-log.ts";
import { idsOf } from "./followed-command.ts";
import type { Observations } from "./observations.ts";
import type { Doubt } from "./open-doubts.ts";
import { storedFile } from "./stored-file.ts";

/** A gateway that can't say what it knows is asked this often before its silence counts as an answer. */
const MAX_QUESTIONS = 3;

/** Stands for the process of a gateway that does not say which one it is. */
const NAMELESS = "";

/** What a gateway process remembers to have sent in a chat: the keys; null if that could not be read. */
interface Transcript {
  process: string;
  keys: ReadonlySet<string> | null;
}

export interface ProofSearchParts {
  store: SharedStore;
  gateway: Gateway;
  clock: Clock;
  log: Logger;
  observations: Observations;
  /** Whether a send is under way in this chat. */
  isSending(chat: number): boolean;
}

/**
 * Looks for the proof that a doubtful command was sent: the gateway's transcript has its key, or the gateway was seen
 * to send it, or the same gateway process still remembers the key, so that asking again can't send twice. Each gateway
 * process is asked once. Where there is no proof the operator is told once, over restarts too.
 */
export class ProofSearch {
  readonly #parts: ProofSearchParts;

  constructor(parts: ProofSearchParts) {
    this.#parts = parts;
  }

  /** Reads the transcript of the doubt's chat, for all doubts of that chat. Null while there is no gateway to ask. */
  async readTranscript({ accountId, chatId }: Doubt): Promise<Transcript | null> {
    const process = this.#process;
    return process === null ? null : { process, keys: await this.#parts.gateway.history(accountId, chatId) };
  }

  /** Looks for the proof of one doubt: sets it, or notes that this process has none. Throws when the store fails. */
  async ask(doubt: Doubt, { process, keys }: Transcript): Promise<void> {
    if (this.claimObservation(doubt)) return;
    if (keys?.has(doubt.commandId)) {
      doubt.proof = { state: "sent", how: "the gateway's transcript has its key", whatsappMessageId: null };
      return;
    }
    const answer = await this.#askAgain(doubt);
    if (answer === "sent" || answer === "queued_by_gateway") {
      doubt.proof = { state: answer, how: "the gateway still remembered its key", whatsappMessageId: null };
      return;
    }
    doubt.questions += 1;
    if (keys !== null || doubt.questions >= MAX_QUESTIONS) await this.#askedInVain(doubt, process);
  }

  /** Whether the gateway of now has not been asked yet. */
  isAskable(doubt: Doubt): boolean {
    const process = this.#process;
    return process !== null && process !== doubt.askedProcess;
  }

  /** Whether the doubt may still be sent, by asking for it again: replies that follow it would overtake it. */
  mayBeSent(doubt: Doubt): boolean {
    if (doubt.isAskedAgain) return true;
    const { gatewayProcess: processId, sendingBootMs: bootMs } = doubt;
    if (bootMs === null || processId === null || doubt.proof !== null || !this.isAskable(doubt)) return false;
    // Whether the gateway has pushed it out by number is looked up when it is asked.
    const first = { processId, bootMs, sendsSince: 0 };
    return stillRemembers(this.#parts.gateway.process, first, this.#parts.clock.bootMs());
  }

  /** Sets the proof of a doubt that the gateway was seen to send. Returns whether there is one. */
  claimObservation(doubt: Doubt): boolean {
    const { accountId, chatId, textSha256, sendingAt } = doubt;
    if (sendingAt === null || doubt.proof !== null || this.#parts.isSending(doubt.chat)) return false;
    const observation = this.#parts.observations.claim({ accountId, chatId, textSha256, sendingAt });
    if (!observation) return false;
    const { whatsappMessageId } = observation;
    doubt.proof = { state: "sent", how: "the gateway was seen to send it", whatsappMessageId };
    return true;
  }

  async #askAgain(doubt: Doubt): Promise<SendOutcome["kind"]> {
    const { store, gateway, clock } = this.#parts;
    const { gatewayProcess: processId, sendingBootMs: bootMs } = doubt;
    if (bootMs === null || processId === null) return "in_doubt";
    const call = await this.#callOf(doubt.id);
    const first = { processId, bootMs, sendsSince: await store.commands.sendsSince(processId, bootMs) };
    if (call === null || !stillRemembers(gateway.process, first, clock.bootMs())) return "in_doubt";
    doubt.isAskedAgain = true;
    try {
      const { accountId, chatId: to, commandId } = doubt;
      return (await gateway.askAgain({ accountId, to, call, commandId }, first)).kind;
    } finally {
      doubt.isAskedAgain = false;
    }
  }

  /** Null where it can't be read, or its file was somewhere else: nothing can be asked for again then. */
  async #callOf(id: number): Promise<GatewayCall | null> {
    try {
      const { commands } = this.#parts.store;
      const command = await commands.get(id);
      return callOf(command, storedFile(command.details === null ? null : await commands.fileOf(id)));
    } catch (error) {
      if (isDamage(error)) return null;
      throw error;
    }
  }

  /** Says so before it is written down: a crash in between repeats the alarm, and loses none. */
  async #askedInVain(doubt: Doubt, process: string): Promise<void> {
    const { store, log } = this.#parts;
    if (!doubt.isAlarmed) {
      doubt.isAlarmed = true;
      const what = "in doubt: nothing proves that this reply was sent, nor that it was not; look at the phone";
      commandLog(log, idsOf(doubt)).error({ alarm: true }, what);
    }
    try {
      await store.commands.askedInVain(doubt.id, process === NAMELESS ? null : process);
    } catch (error) {
      // What is in memory is enough for this run.
      if (!isDamage(error)) throw error;
    }
    doubt.askedProcess = process;
    doubt.questions = 0;
  }

  /** The gateway process that can be asked now; null while there is none. */
  get #process(): string | null {
    const { link, process } = this.#parts.gateway.state;
    return link === "up" ? (process?.id ?? NAMELESS) : null;
  }
}
