import { failpoint } from "@hotbags/shared";
import type { Clock } from "../../clock.ts";
import type { Change } from "../changes.ts";
import { StoreUnwritableError } from "../errors.ts";
import type { Availability } from "./availability.ts";
import { CommitMarks } from "./commit-marks.ts";
import type { Connection } from "./connection.ts";
import { DisconnectedError, isCollision, isDisconnection, UncertainCommitError, wordsOf } from "./faults.ts";
import { guard, type Lease } from "./lease.ts";
import type { Ownership } from "./ownership.ts";
import type { ProvenTime } from "./proven-time.ts";
import type { Report, ReportKind } from "./reports.ts";
import { RefusedError, type Verb } from "./verb.ts";
import { Writing } from "./writing.ts";

/** Calls a transaction, and bytes of theirs: a batch that can't be written costs as much again, and again. */
const MAX_CALLS = 256;
const MAX_BYTES = 8 * 1024 * 1024;

/** Times that the same work is tried at once, since another transaction or a connection was in its way. */
const TRIES = 4;

// biome-ignore lint/suspicious/noExplicitAny: of calls of different verbs nobody knows the types but the verb itself.
type AnyVerb = Verb<any, any>;

interface Call {
  verb: AnyVerb;
  input: unknown;
  bytes: number;
  order: string | undefined;
  account: string | undefined;
  settle: { resolve(value: unknown): void; reject(error: unknown): void };
}

/** What one transaction came to. */
interface Written {
  results: Map<Call, unknown>;
  writing: Writing;
}

interface BatchesParts {
  connection: Connection;
  ownership: Pick<Ownership, "leases" | "fencedOff">;
  availability: Availability;
  clock: Clock;
  time: ProvenTime;
  /** This release's schema. */
  release?: number | undefined;
  /** What Hot Bags wants to be told. */
  wanted: () => ReadonlySet<ReportKind>;
  /** Told how long each transaction took, ms. */
  onCommit?: ((durationMs: number) => void) | undefined;
}

export interface CallOptions {
  /** Of calls with one order none is written after one before it, of the same batch, was refused. */
  order?: string;
  /** About how much is to be written. */
  bytes?: number;
  /**
   * Whose it is, if it is one account's: a transaction of such calls locks the leases of these accounts alone. Otherwise all that
   * are ours are locked.
   */
  account?: string;
}

/**
 * Runs the store's verbs: what comes while a transaction is under way goes into the next one, each verb's calls in one go.
 * A promise resolves when its transaction is committed. One transaction at a time: what a sidecar writes is in the order
 * in which it was asked for.
 */
export class Batches {
  readonly #parts: BatchesParts;
  readonly #changed = new Set<(changes: Change[]) => void>();
  readonly #reported = new Set<(reports: readonly Report[]) => void>();
  readonly #marks = new CommitMarks();
  #waiting: Call[] = [];
  #writing: Promise<void> | undefined;
  readonly #closing = Promise.withResolvers<void>();
  #closed = false;

  constructor(parts: BatchesParts) {
    this.#parts = parts;
  }

  /**
   * Resolves with what the verb says of this call once that is committed. Rejects, with nothing of it written, with what
   * the verb refuses it for, with FencedOffError when the account is not ours, or with StoreUnwritableError when the
   * database can't be written.
   */
  run<I, O>(verb: Verb<I, O>, input: I, { order, bytes = 0, account }: CallOptions = {}): Promise<O> {
    const { promise, resolve, reject } = Promise.withResolvers<O>();
    const { outage } = this.#parts.availability;
    if (this.#closed) reject(new Error(`the store is closed; ${verb.name} was not written`));
    else if (outage) reject(new StoreUnwritableError(outage.failure));
    else {
      this.#waiting.push({
        ...{ verb, input, order, bytes, account },
        settle: { resolve: (value) => resolve(value as O), reject },
      });
      this.#writing ??= this.#writeAll();
    }
    return promise;
  }

  /** Told of all changes of a transaction at once, in their order, once it is committed. Returns how to stop that. */
  onChange(listener: (changes: Change[]) => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  /** Told of new reports, once they are committed. Returns how to stop that. */
  onReports(listener: (reports: readonly Report[]) => void): () => void {
    this.#reported.add(listener);
    return () => this.#reported.delete(listener);
  }

  /** Writes what waits, and takes no more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.resolve();
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // All that this turn of the event loop brings goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#writeOrSplit(this.#next(), new Set());
    this.#writing = undefined;
  }

  #next(): Call[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((call, n) => {
      bytes += call.bytes;
      return n >= MAX_CALLS || (n > 0 && bytes > MAX_BYTES);
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  /**
   * One call's failure is not the others': what a verb refuses is left out, and where nobody knows which one it was each
   * half is written for itself, down to the calls that fail alone. `refused`: their orders; what follows in them would
   * overtake.
   */
  async #writeOrSplit(batch: readonly Call[], refused: Set<string>): Promise<void> {
    const calls = batch.filter((call) => !this.#isBehind(call, refused));
    const [first] = calls;
    if (!first) return;
    const { outage } = this.#parts.availability;
    if (outage) return this.#rejectAll(calls, new StoreUnwritableError(outage.failure));
    let written: Written;
    try {
      written = await this.#write(calls);
    } catch (error) {
      if (error instanceof PartlyRefusedError) return await this.#leaveOut(error.reasons, calls, refused);
      if (!(await this.#parts.availability.judge(first.verb.name, error)))
        return this.#rejectAll(
          calls,
          new StoreUnwritableError(`${first.verb.name}: ${wordsOf(error)}`, { cause: error }),
        );
      if (calls.length === 1) return this.#reject(first, error, refused);
      const middle = calls.length >> 1;
      await this.#writeOrSplit(calls.slice(0, middle), refused);
      return await this.#writeOrSplit(calls.slice(middle), refused);
    }
    this.#tell(written, calls);
  }

  /** What comes before one that is refused is written all the same. */
  async #leaveOut(reasons: ReadonlyMap<Call, Error>, calls: readonly Call[], refused: Set<string>): Promise<void> {
    const [left, orders]: [Call[], Set<string>] = [[], new Set()];
    for (const call of calls) {
      const reason = reasons.get(call);
      if (reason) this.#reject(call, reason, orders);
      else if (!this.#isBehind(call, orders)) left.push(call);
    }
    await this.#writeOrSplit(left, refused);
    for (const order of orders) refused.add(order);
  }

  #isBehind({ verb, order, settle }: Call, refused: ReadonlySet<string>): boolean {
    if (order === undefined || !refused.has(order)) return false;
    settle.reject(new Error(`${verb.name} was not written: what comes before it was refused`));
    return true;
  }

  /** What waits behind it in its order was asked for before anybody could know of this: by its own transaction it could be written. */
  #reject({ order, settle }: Call, reason: unknown, refused: Set<string>): void {
    settle.reject(reason);
    if (order === undefined) return;
    refused.add(order);
    const its = new Set([order]);
    this.#waiting = this.#waiting.filter((call) => !this.#isBehind(call, its));
  }

  /** The database takes nothing. What waits behind these calls is told so, too: none of it may be written before them. */
  #rejectAll(calls: readonly Call[], error: StoreUnwritableError): void {
    for (const { settle } of [...calls, ...this.#waiting.splice(0)]) settle.reject(error);
  }

  #tell({ results, writing }: Written, calls: readonly Call[]): void {
    for (const call of calls) {
      failpoint(`${call.verb.name}:after-commit`);
      call.settle.resolve(results.get(call));
    }
    const { changes, reports } = writing;
    if (changes.length > 0) for (const listener of [...this.#changed]) listener(changes);
    if (reports.length > 0) for (const listener of [...this.#reported]) listener(reports);
  }

  /** Tries again at once where that can help: another transaction was in the way, or a connection that is no more. */
  async #write(calls: readonly Call[]): Promise<Written> {
    for (let n = 1; ; n += 1) {
      try {
        return await this.#writeOnce(calls);
      } catch (error) {
        if (n >= TRIES || !(isCollision(error) || (n === 1 && isDisconnection(error)))) throw error;
      }
    }
  }

  async #writeOnce(calls: readonly Call[]): Promise<Written> {
    const { connection, ownership, clock, time, release, wanted, onCommit } = this.#parts;
    const leases = leasesOf(calls, ownership.leases);
    const begun = performance.now();
    const { n, statement } = this.#marks.next();
    let [done, xid]: [Written | undefined, string] = [undefined, ""];
    try {
      await connection.transaction(async (tx) => {
        const guarded = await guard(tx, leases, release, time.seenAt);
        xid = guarded.xid;
        this.#noteLost(leases, guarded.accounts);
        const writing = new Writing({ tx, guarded, clock, time, wanted: wanted() });
        done = { writing, results: await writeInGroups(writing, calls) };
        await writing.end();
        for (const { verb } of calls) failpoint(`${verb.name}:before-commit`);
      }, statement);
    } catch (error) {
      if (!(error instanceof UncertainCommitError)) throw error;
      if (!(await this.#isCommitted({ n, xid }, error)))
        throw new DisconnectedError("the way to the server broke before the commit came there", { cause: error });
    }
    onCommit?.(performance.now() - begun);
    if (!done) throw new Error("a transaction has ended without its work");
    return done;
  }

  #noteLost(leases: readonly Lease[], accounts: ReadonlySet<string>): void {
    const lost = leases.filter(({ account }) => !accounts.has(account));
    if (lost.length > 0) this.#parts.ownership.fencedOff(lost);
  }

  /**
   * Whether this transaction is committed: the way broke while that was asked for. Waits until the server
   * can say so, for who is told of neither could only guess.
   */
  async #isCommitted(transaction: { n: number; xid: string }, error: UncertainCommitError): Promise<boolean> {
    const { connection, availability } = this.#parts;
    for (;;) {
      try {
        const isCommitted = await this.#marks.isCommitted(connection, transaction);
        if (isCommitted !== null) return isCommitted;
        // Its connection has not noticed yet that nobody is there.
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      } catch (failure) {
        // A server that never had such a number lacks that transaction.
        if (availability.check("commit", failure)) return false;
        availability.check("commit", error);
        await Promise.race([untilOver(availability), this.#closing.promise]);
        if (this.#closed) return false;
      }
    }
  }
}

/** Of an end that is under way at the server, ms. */
const ASK_AGAIN_MS = 100;

/** What a verb has refused, by call. */
class PartlyRefusedError extends Error {
  readonly reasons: ReadonlyMap<Call, Error>;

  constructor(reasons: ReadonlyMap<Call, Error>) {
    super("some calls are refused");
    this.reasons = reasons;
  }
}

function untilOver(availability: Availability): Promise<void> {
  if (!availability.outage) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = availability.onChange((outage) => {
      if (outage) return;
      stop();
      resolve();
    });
  });
}

async function writeInGroups(writing: Writing, calls: readonly Call[]): Promise<Map<Call, unknown>> {
  const results = new Map<Call, unknown>();
  for (const group of inGroups(calls)) {
    const [first] = group;
    if (!first) continue;
    const written = await writeGroup(first.verb, writing, group);
    for (const [n, call] of group.entries()) results.set(call, written[n]);
  }
  return results;
}

async function writeGroup(verb: AnyVerb, writing: Writing, group: readonly Call[]): Promise<unknown[]> {
  try {
    return await verb.write(
      writing,
      group.map(({ input }) => input),
    );
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw new PartlyRefusedError(
      new Map([...error.reasons].flatMap(([n, reason]) => (group[n] ? [[group[n], reason] as const] : []))),
    );
  }
}

/** Those of the accounts that the calls are about. */
function leasesOf(calls: readonly Call[], leases: readonly Lease[]): readonly Lease[] {
  const accounts = new Set(calls.map(({ account }) => account));
  return accounts.has(undefined) ? leases : leases.filter(({ account }) => accounts.has(account));
}

/** Calls of one verb together, but none before a call about the same row, or in one statement with it. */
function inGroups(calls: readonly Call[]): Call[][] {
  const groups: Call[][] = [];
  const lastOfVerb = new Map<AnyVerb, number>();
  const lastOfKey = new Map<string, number>();
  for (const call of calls) {
    const key = call.verb.keyOf(call.input);
    let place = lastOfVerb.get(call.verb) ?? -1;
    if (place <= (lastOfKey.get(key) ?? -1)) place = groups.push([]) - 1;
    groups[place]?.push(call);
    lastOfVerb.set(call.verb, place);
    lastOfKey.set(key, place);
  }
  return groups;
}
