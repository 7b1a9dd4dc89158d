import { performance } from "node:perf_hooks";
import { failpoint } from "@hotbags/shared";
import type Database from "better-sqlite3";
import { StoreUnwritableError } from "../errors.ts";
import type { Counters } from "./counters.ts";
import { isLock, wordsOf } from "./faults.ts";
import type { Feed } from "./feed.ts";
import { type ReportRecorder, ReportsDamagedError } from "./report-recorder.ts";
import type { Writability } from "./writability.ts";

/**
 * A lock that another program has is waited for so long, ms, and tried so often: one that copies the log, as litestream does, has
 * it for a moment. Not by SQLite's own patience, which would stop the event loop.
 */
const LOCKED_MS = 2_000;
const LOCK_RETRY_MS = 10;

/** What nobody waits for is written after this time at the latest, ms: so long a crash may find it undone. */
const LATER_MS = 2;

interface Job {
  name: string;
  work: () => unknown;
  order: string | undefined;
  settle: { resolve(value: unknown): void; reject(error: unknown): void };
}

export interface GroupCommitOptions {
  /** Writes into each transaction what follows from its jobs. */
  reports?: readonly Pick<ReportRecorder, "begin" | "write" | "committed" | "giveUp">[];
  /** Told how long each transaction took, its jobs' work included, ms. */
  onCommit?: ((durationMs: number) => void) | undefined;
}

/**
 * Runs writes in one transaction per turn of the event loop: 5,768 messages a second instead of 982 with a commit each, at the
 * same safety, since a promise resolves only when its commit is on disk (docs/guarantees.md). Reads need no part in it: a batch is written
 * without a pause, so nobody ever sees half of one.
 */
export class GroupCommit {
  readonly #db: Database.Database;
  readonly #writability: Writability;
  readonly #feed: Feed;
  readonly #reports: NonNullable<GroupCommitOptions["reports"]>;
  readonly #counters: Counters;
  readonly #begin: Database.Statement;
  readonly #commit: Database.Statement;
  readonly #rollback: Database.Statement;
  readonly #onCommit: (durationMs: number) => void;
  #waiting: Job[] = [];
  /** What waits is written in this turn of the event loop, or when a lock may be gone. */
  #isCalled = false;
  #later: NodeJS.Timeout | undefined;
  /** Monotonic ms; null: nobody else has a lock, as far as is known. */
  #lockedSince: number | null = null;
  #closed = false;

  constructor(
    db: Database.Database,
    writability: Writability,
    feed: Feed,
    counters: Counters,
    { reports = [], onCommit = () => {} }: GroupCommitOptions = {},
  ) {
    this.#onCommit = onCommit;
    this.#db = db;
    this.#writability = writability;
    this.#feed = feed;
    this.#reports = reports;
    this.#counters = counters;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#rollback = db.prepare("ROLLBACK");
  }

  /**
   * Resolves with what `work` returned once it is on disk; rejects, with nothing of it written, when `work` throws, or with StoreUnwritableError
   * when the store can't write. `work` may run several times, so it touches the database only. `name` is for the crash matrix. Of jobs with one `order` none
   * is written after one before it, of the same turn, was refused.
   */
  run<T>(name: string, work: () => T, order?: string): Promise<T> {
    const written = this.#add(name, work, order);
    if (this.#waiting.length > 0 && !this.#isCalled) {
      this.#isCalled = true;
      setImmediate(() => this.#flush());
    }
    return written;
  }

  /** As `run`, of what nobody waits for: it is written with what somebody does wait for, or after LATER_MS. */
  later<T>(name: string, work: () => T): Promise<T> {
    const written = this.#add(name, work, undefined);
    if (this.#waiting.length > 0 && !this.#isCalled) this.#later ??= setTimeout(() => this.#flush(), LATER_MS);
    return written;
  }

  /** Writes what waits, now. */
  close(): void {
    this.#flush({ canWait: false });
    this.#closed = true;
  }

  #add<T>(name: string, work: () => T, order: string | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const { outage } = this.#writability;
    if (this.#closed) reject(new Error(`the store is closed; ${name} was not written`));
    else if (outage) reject(new StoreUnwritableError(outage.failure));
    else this.#waiting.push({ name, work, order, settle: { resolve: resolve as (value: unknown) => void, reject } });
    return promise;
  }

  #flush({ canWait = true } = {}): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#isCalled = false;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#writeOrSplit(batch, new Set(), canWait);
  }

  /** Another program has a lock that it may give back in a moment: all is tried again then, with what has come by then. */
  #waitForLock(jobs: readonly Job[], failure: unknown): boolean {
    const now = performance.now();
    if (!isLock(failure) || now - (this.#lockedSince ?? now) >= LOCKED_MS) {
      this.#lockedSince = null;
      return false;
    }
    this.#lockedSince ??= now;
    this.#waiting = [...jobs, ...this.#waiting];
    this.#isCalled = true;
    setTimeout(() => this.#flush(), LOCK_RETRY_MS);
    return true;
  }

  /**
   * One job's failure is not the others': where a batch fails, each half is written for itself, down to the jobs that fail alone. `refused`: their
   * orders; what follows in them would overtake. `canWait`: it is the whole batch, and no part of it is written yet.
   */
  #writeOrSplit(batch: Job[], refused: Set<string>, canWait = false): void {
    const jobs = batch.filter((job) => !this.#isRefused(job, refused));
    if (jobs.length === 0) return;
    const failure = this.#write(jobs);
    if (failure === undefined) {
      this.#lockedSince = null;
      return;
    }
    if (canWait && this.#waitForLock(jobs, failure)) return;
    const [first] = jobs;
    if (first && jobs.length === 1) return this.#refuse(first, failure, refused);
    const middle = jobs.length >> 1;
    this.#writeOrSplit(jobs.slice(0, middle), refused);
    this.#writeOrSplit(jobs.slice(middle), refused);
  }

  #isRefused({ name, order, settle }: Job, refused: ReadonlySet<string>): boolean {
    const { outage } = this.#writability;
    const isBehind = order !== undefined && refused.has(order);
    if (outage) settle.reject(new StoreUnwritableError(outage.failure));
    else if (isBehind) settle.reject(new Error(`${name} was not written: what comes before it was refused`));
    return outage !== null || isBehind;
  }

  /** The job failed alone. If that is the store's fault, an outage begins. */
  #refuse({ name, order, settle }: Job, error: unknown, refused: Set<string>): void {
    if (order !== undefined) refused.add(order);
    if (this.#writability.check(name, error)) settle.reject(error);
    else settle.reject(new StoreUnwritableError(`${name}: ${wordsOf(error)}`, { cause: error }));
  }

  /** Returns the error; undefined when all is written. */
  #write(jobs: Job[]): unknown {
    const results: unknown[] = [];
    const begun = performance.now();
    this.#feed.begin();
    for (const recorder of this.#reports) recorder.begin();
    try {
      this.#begin.run();
      for (const job of jobs) results.push(job.work());
      for (const recorder of this.#reports) recorder.write();
      // After them: they count, too.
      this.#counters.write();
      for (const job of jobs) failpoint(`${job.name}:before-commit`);
      this.#commit.run();
    } catch (error) {
      if (this.#db.inTransaction) this.#rollback.run();
      this.#counters.takeBack();
      if (!(error instanceof ReportsDamagedError)) return error;
      // What has happened is not kept back by what can't be told of it.
      for (const recorder of this.#reports) recorder.giveUp(error);
      return this.#write(jobs);
    }
    this.#onCommit(performance.now() - begun);
    for (const [index, job] of jobs.entries()) {
      failpoint(`${job.name}:after-commit`);
      job.settle.resolve(results[index]);
    }
    this.#feed.committed();
    for (const recorder of this.#reports) recorder.committed();
    return undefined;
  }
}
