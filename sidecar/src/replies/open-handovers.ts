import type { HandoverEnd } from "../store/index.ts";
import type { FollowedCommand } from "./followed-command.ts";
import type { Observation } from "./observations.ts";

/** Handovers that are taken over at start, the newest ones. A chat has one, and few are answered when WhatsApp goes. */
export const MAX_HANDOVERS = 1_000;

/** The gateway's and our own idea of now may differ by this much, ms: they share a machine, but not a moment. */
const CLOCK_SLACK_MS = 2_000;

/** Texts that OpenClaw has dropped, and that are kept for a reply that is not followed yet. */
const MAX_EARLY_DROPS = 1_000;

/** A text that the gateway has dropped from its queue, and why. */
export type Drop = Omit<Observation, "whatsappMessageId"> & { reason: string };

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
  /** What came of their send may not be on disk yet, as in an outage of the store: nobody tells of them again. */
  #earlyDrops: Drop[] = [];

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

  /** The oldest one that OpenClaw may mean when it says that it has dropped this text; else that is kept for who comes. */
  droppedOf(drop: Drop): Handover | undefined {
    const found = this.all.find((handover) => mayMean(drop, handover));
    if (found === undefined) this.#earlyDrops = [...this.#earlyDrops, drop].slice(-MAX_EARLY_DROPS);
    return found;
  }

  /** What OpenClaw has said of it before it was followed. */
  earlyDropOf(handover: Handover): Drop | undefined {
    const drop = this.#earlyDrops.find((one) => mayMean(one, handover));
    if (drop !== undefined) this.#earlyDrops = this.#earlyDrops.filter((one) => one !== drop);
    return drop;
  }
}

function mayMean({ accountId, chatId, textSha256, at }: Drop, handover: Handover): boolean {
  return (
    handover.end === null &&
    handover.accountId === accountId &&
    handover.chatId === chatId &&
    handover.textSha256 === textSha256 &&
    at >= (handover.sendingAt ?? 0) - CLOCK_SLACK_MS
  );
}
