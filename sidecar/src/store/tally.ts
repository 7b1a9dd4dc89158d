import * as z from "zod";

/**
 * The parts of a message's way that are timed. `capture`: from when the customer wrote, as WhatsApp says to the second,
 * until it was on disk here. `hotbags`: a POST that was answered as the contract says. `reply`: from Hot Bags' answer
 * until the reply was sent. `whole`: from when the customer wrote until then.
 */
const HOPS = ["capture", "hotbags", "reply", "whole"] as const;
export type Hop = (typeof HOPS)[number];

/** How many took about so long: the place of each is the number of its bucket. */
export type Durations = number[];

/** What passed in a time. No chat, number, id or text is in it. */
export interface Tally {
  messagesIn: number;
  repliesOut: number;
  /** The most that waited for Hot Bags, and for WhatsApp, at a time. */
  waiting: number;
  repliesWaiting: number;
  /** By kind; one that did not occur is missing. */
  failures: Record<string, number>;
  hops: Record<Hop, Durations>;
}

export function emptyTally(): Tally {
  const hops = { capture: [], hotbags: [], reply: [], whole: [] };
  return { messagesIn: 0, repliesOut: 0, waiting: 0, repliesWaiting: 0, failures: {}, hops };
}

/** Adds what passed in another time, or another part of the same. */
export function addTally(to: Tally, other: Tally): void {
  to.waiting = Math.max(to.waiting, other.waiting);
  to.repliesWaiting = Math.max(to.repliesWaiting, other.repliesWaiting);
  addPassed(to, other);
}

/** Adds what passed of another account in the same time. What waited of both: no more than the most of each. */
export function addBeside(to: Tally, other: Tally): void {
  to.waiting += other.waiting;
  to.repliesWaiting += other.repliesWaiting;
  addPassed(to, other);
}

function addPassed(to: Tally, other: Tally): void {
  to.messagesIn += other.messagesIn;
  to.repliesOut += other.repliesOut;
  for (const [kind, count] of Object.entries(other.failures)) to.failures[kind] = (to.failures[kind] ?? 0) + count;
  for (const hop of HOPS) {
    const durations = to.hops[hop];
    // The callback is not called for buckets with nothing in them.
    other.hops[hop].forEach((count, bucket) => {
      durations[bucket] = (durations[bucket] ?? 0) + count;
    });
  }
}

const count = z.int().nonnegative();

/** A bucket and how many are in it, one after the other: looked at by `unpair`, since a month of it is read at once. */
const pairs = z.custom<unknown[]>((value) => Array.isArray(value) && value.length % 2 === 0);

/** As it is on disk. */
const written = z.tuple([count, count, count, count, z.record(z.string().max(64), count), pairs, pairs, pairs, pairs]);

/** More than there are buckets. A damaged page may say anything. */
const MAX_BUCKET = 999;

export function writeTally({ messagesIn, repliesOut, waiting, repliesWaiting, failures, hops }: Tally): string {
  const durations = HOPS.map((hop) => hops[hop].flatMap((count, bucket) => [bucket, count]));
  return JSON.stringify([messagesIn, repliesOut, waiting, repliesWaiting, failures, ...durations]);
}

/** Null: it makes no sense, as what a damaged page says. */
export function readTally(text: string): Tally | null {
  try {
    const [messagesIn, repliesOut, waiting, repliesWaiting, failures, ...hops] = written.parse(JSON.parse(text));
    const [capture, hotbags, reply, whole] = hops;
    return {
      ...{ messagesIn, repliesOut, waiting, repliesWaiting, failures },
      hops: { capture: unpair(capture), hotbags: unpair(hotbags), reply: unpair(reply), whole: unpair(whole) },
    };
  } catch {
    return null;
  }
}

/** Throws where there is no such bucket, or no such count. */
function unpair(list: readonly unknown[]): Durations {
  const durations: Durations = [];
  for (let n = 0; n < list.length; n += 2) {
    const [bucket, count] = [list[n], list[n + 1]];
    if (!isCount(bucket) || bucket > MAX_BUCKET || !isCount(count))
      throw new RangeError("this is no count of a bucket");
    durations[bucket] = count;
  }
  return durations;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
