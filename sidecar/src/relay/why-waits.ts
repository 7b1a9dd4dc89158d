import type { Clock } from "../clock.ts";
import type { SharedStore } from "../store/index.ts";
import type { Judge } from "./judge.ts";
import type { Cause, MessageLanes } from "./message-lanes.ts";

/** A message that is pending. */
export interface Waiting {
  seq: number;
  chat: number;
  /** It has stepped aside from its chat's lane. */
  isDetached: boolean;
}

/** Why a message waits, for an operator. */
export interface Wait {
  /** Goes on from "It waits for". Has no word of a customer's or of Hot Bags'. */
  reason: string;
  /** When something is tried again, wall-clock ms; null: that hangs on something else. */
  until: number | null;
}

interface WaitParts {
  store: SharedStore;
  clock: Clock;
  judge: Judge;
  lanes: MessageLanes;
}

/** What a lane rests for, of the message that is next in it. */
const REASONS: Record<Cause, string> = {
  backoff: "its next attempt, for it has failed",
  alone: "its next attempt, for it has failed",
  breaker: "Hot Bags, which has just taken messages again",
  store: "the database, of which a page could not be read or written",
};

/** Why this message waits just now; null: it is about to go, or under way. Reads no text. */
export async function whyWaits(
  { seq, chat, isDetached }: Waiting,
  { store, clock, judge, lanes }: WaitParts,
): Promise<Wait | null> {
  if (store.outage) return { reason: "the database, which can't be written", until: null };
  const now = clock.uptimeMs();
  const toWall = (uptimeMs: number) => clock.now() + Math.max(0, uptimeMs - now);
  if (judge.isHolding) {
    const failure = judge.status.lastFailure?.error ?? "it takes no message";
    return { reason: `Hot Bags: ${failure}`, until: toWall(judge.probeAt ?? now) };
  }
  // Else a message behind another one would be said to wait for an attempt of its own.
  const head = isDetached ? seq : await store.messages.headSeqOf(chat);
  if (head !== undefined && head !== seq)
    return { reason: `message ${head}, which came before it in its chat`, until: null };
  const rest = (isDetached ? lanes.detached : lanes.chats).restOf(chat);
  return rest && rest.until > now ? { reason: REASONS[rest.cause], until: toWall(rest.until) } : null;
}
