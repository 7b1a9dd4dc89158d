import { createHash } from "node:crypto";
import { literal } from "../gateway/index.ts";
import type { HandoverEnd, WaitingCommand } from "../store/index.ts";
import type { Observation } from "./observations.ts";

/** Handovers that are taken over at start, the newest ones. A chat has one, and few are answered when WhatsApp goes. */
export const MAX_HANDOVERS = 1_000;

/** The gateway's and our own idea of now may differ by this much, ms: they share a machine, but not a moment. */
const CLOCK_SLACK_MS = 2_000;

/** What is remembered of a reply that OpenClaw has in its own queue. Its text can be long, and stays in the store. */
export interface Handover {
  readonly id: number;
  readonly chat: number;
  readonly accountId: string;
  readonly chatId: string;
  readonly commandId: string;
  readonly messageId: string;
  readonly textSha256: string;
  /** When it was handed over, by the wall clock, ms. */
  readonly sendingAt: number;
  /** Since when it is followed, monotonic ms. */
  readonly since: number;
  /** What became of it. Found, but not on disk yet. */
  end: HandoverEnd | null;
}

/** The replies that OpenClaw has in its own queue, as far as is known. */
export class OpenHandovers {
  readonly #byCommand = new Map<number, Handover>();

  get all(): Handover[] {
    return [...this.#byCommand.values()];
  }

  get count(): number {
    return this.#byCommand.size;
  }

  /** Those of a chat, in the order in which they were handed over. */
  of(chat: number): Handover[] {
    return this.all.filter((handover) => handover.chat === chat);
  }

  /** `now`: monotonic ms. */
  add(command: WaitingCommand, now: number): Handover {
    const handover: Handover = {
      id: command.id,
      chat: command.chat,
      accountId: command.account_id,
      chatId: command.chat_id,
      commandId: command.command_id,
      messageId: command.message_id,
      // The gateway tells of the text as it was given to it.
      textSha256: createHash("sha256").update(literal(command.text)).digest("hex"),
      sendingAt: command.sending_at ?? 0,
      since: now,
      end: null,
    };
    this.#byCommand.set(handover.id, handover);
    return handover;
  }

  delete({ id }: Handover): void {
    this.#byCommand.delete(id);
  }

  /** The oldest one that OpenClaw may mean when it says that it has dropped this text. */
  find({ accountId, chatId, textSha256, at }: Omit<Observation, "whatsappMessageId">): Handover | undefined {
    return this.all.find(
      (handover) =>
        handover.end === null &&
        handover.accountId === accountId &&
        handover.chatId === chatId &&
        handover.textSha256 === textSha256 &&
        at >= handover.sendingAt - CLOCK_SLACK_MS,
    );
  }
}

/** The ids of a handover's command, as the log has them. */
export function idsOf({ accountId, messageId, chatId, commandId }: Handover) {
  return { account_id: accountId, message_id: messageId, chat_id: chatId, command_id: commandId };
}
