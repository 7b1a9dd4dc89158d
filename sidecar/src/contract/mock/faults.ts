import type { Message } from "./request.ts";

/**
 * What goes wrong with one request. Those in the first group strike before Hot Bags has processed the message; those in the second
 * after it: the message is accepted and its answer stored, only the answer doesn't arrive as it should.
 */
export type Fault = FaultBeforeProcessing | FaultAfterProcessing;

export type FaultBeforeProcessing =
  /** The connection is destroyed after the request was read. */
  | "drop"
  /** The request is read and never answered. */
  | "hang"
  /** An answer outside 2xx. `retryAfter` in seconds, or an HTTP date. */
  | { status: number; headers?: Record<string, string>; body?: string | Buffer; retryAfter?: number | string }
  /** A redirect, 307 unless `status` says otherwise. */
  | { redirect: string; status?: number };

export type FaultAfterProcessing =
  /** The connection is destroyed before the answer. */
  | "drop-after-processing"
  /** Processed, and never answered. */
  | "hang-after-processing"
  /** Half of the announced body, then the connection is destroyed. */
  | "truncate"
  /** Headers at once, then a blank every 20 ms without end: alive for every idle timeout. */
  | "slow-body"
  /** Blanks without end, as fast as the reader takes them. */
  | "endless-body"
  /** The right answer, that much later. */
  | { delayMs: number }
  /** These bytes on the bare connection, whatever HTTP makes of them, and its end. */
  | { bytes: string | Buffer }
  /** A 2xx whose body is this instead of the answer. */
  | { status: number; headers?: Record<string, string>; body?: string | Buffer };

export type FaultScript<Subject = Message> = {
  /** Appends faults for the next requests, one each, in order. */
  next(...faults: Fault[]): void;
  /** The next `times` requests that match get this fault, before those of `next` are looked at. Returns how to lift it. */
  faultFor(predicate: (subject: Subject) => boolean, fault: Fault, times?: number): () => void;
  /** Forgets every fault not yet used. */
  clear(): void;
  /** The fault for this request, used up by asking. */
  take(subject: Subject): Fault | undefined;
};

type Aimed<Subject> = { predicate: (subject: Subject) => boolean; fault: Fault; left: number };

export function createFaultScript<Subject = Message>(): FaultScript<Subject> {
  const queue: Fault[] = [];
  const aimed = new Set<Aimed<Subject>>();
  return {
    next: (...faults) => void queue.push(...faults),
    faultFor(predicate, fault, times = 1) {
      const entry = { predicate, fault, left: times };
      aimed.add(entry);
      return () => void aimed.delete(entry);
    },
    clear() {
      queue.length = 0;
      aimed.clear();
    },
    take(subject) {
      for (const entry of aimed) {
        if (!entry.predicate(subject)) continue;
        entry.left -= 1;
        if (entry.left <= 0) aimed.delete(entry);
        return entry.fault;
      }
      return queue.shift();
    },
  };
}

/** Whether Hot Bags gets to process the message in spite of the fault. */
export function isAfterProcessing(fault: Fault): boolean {
  if (typeof fault === "string") return fault !== "drop" && fault !== "hang";
  if ("redirect" in fault) return false;
  return "delayMs" in fault || "bytes" in fault || (fault.status >= 200 && fault.status < 300);
}
