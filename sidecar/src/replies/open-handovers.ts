import type { HandoverEnd } from "../store/index.ts";
import type { FollowedCommand } from "./followed-command.ts";
import type { Observation } from "./observations.ts";

/** Handovers that are taken over at start, the newest ones. A chat has one, and few are answered when WhatsApp goes. */
export const MAX_HANDOVERS = 1_000;

/** The gateway's and our own idea of now may differ by this much, ms: they share a machine, but not a moment. */
const CLOCK_SLACK_MS = 2_000;

/** What is remembered of a reply that OpenClaw has in its own queue. */
export interface Handover extends FollowedCommand {
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
  add(command: FollowedCommand, now: number): Handover {
    const handover = this.#byCommand.get(command.id) ?? { ...command, since: now, end: null };
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
        at >= (handover.sendingAt ?? 0) - CLOCK_SLACK_MS,
    );
  }
}
