import { failpoint, LogThrottle, reasonOf } from "@hotbags/shared";
import { type Captured, keyOf } from "../capture/capture.ts";
import { guarded } from "../host/guard.ts";
import { type About, type Log, line } from "../host/log.ts";
import { type Outbox, OutboxFullError } from "../outbox/outbox.ts";
import { Copies, type CopiesOptions, type Settling } from "./copies.ts";
import { Deadlines } from "./deadlines.ts";
import { OverflowBuffer, type ReceivedOnly } from "./overflow-buffer.ts";

export type IntakeLimits = {
  /** Messages and bytes kept in memory while the outbox cannot be written. */
  memoryMessages: number;
  memoryBytes: number;
  /**
   * How long a hook waits for the disk while its message is in memory. Until it returns, OpenClaw still owns the
   * message too.
   */
  hookWaitMs: number;
  /**
   * How long a hook waits when even the memory is full. Longer than the 300 s after which OpenClaw takes its claim back
   * and dispatches the message again: it stays the owner then.
   */
  hookWaitWithoutMemoryMs: number;
  /**
   * How long a hook waits until the message's files are copied; then they are copied without it. Shorter than the 300 s
   * after which OpenClaw takes its claim back. Where the outbox fails meanwhile, `hookWaitMs` from then on.
   */
  copyMs: number;
  /** How long a stop waits for files that are being copied. OpenClaw gives 5 s, and the link needs 1 s of them. */
  stopMs: number;
  /** How often the outbox is tried again. */
  retryMs: number;
  /** How long a message seen by `message_received` waits for the complete one, which is late only in a busy gateway. */
  incompleteMs: number;
  /** The same for a text that OpenClaw is likely to consume: a customer's `stop` should not take long. */
  incompleteConsumedMs: number;
};

export const INTAKE_LIMITS: IntakeLimits = {
  memoryMessages: 1_000,
  memoryBytes: 32 * 1024 * 1024,
  hookWaitMs: 20_000,
  hookWaitWithoutMemoryMs: 310_000,
  copyMs: 120_000,
  stopMs: 2_000,
  retryMs: 1_000,
  incompleteMs: 10_000,
  incompleteConsumedMs: 2_000,
};

/** Where files come from, and how large they may be. */
export type FileOptions = Pick<CopiesOptions, "inbound" | "maxFileBytes" | "maxMediaBytes">;

/**
 * Brings captured messages into the outbox, and survives an outbox that cannot be written: then they wait in bounded
 * memory, in order, the alarm is raised, and the hooks wait for a while so that OpenClaw keeps owning the messages.
 *
 * A message with files is written first, which gives it its place in its chat, and is incomplete there until they are
 * copied.
 */
export class Intake {
  readonly #openOutbox: () => Outbox;
  readonly #log: Log;
  readonly #limits: IntakeLimits;
  readonly #onReady: (seq: number) => void;
  readonly #buffer: OverflowBuffer;
  readonly #copies: Copies;
  readonly #deadlines: Deadlines;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #logThrottle = new LogThrottle();
  #outbox: Outbox | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** `onReady` is told of every message that may be sent from now on. */
  constructor(
    openOutbox: () => Outbox,
    files: FileOptions,
    log: Log,
    onReady: (seq: number) => void,
    limits: IntakeLimits = INTAKE_LIMITS,
  ) {
    this.#openOutbox = openOutbox;
    this.#log = log;
    this.#onReady = onReady;
    this.#limits = limits;
    this.#buffer = new OverflowBuffer(limits.memoryMessages, limits.memoryBytes);
    this.#deadlines = new Deadlines((seq) => this.#release(seq), limits.retryMs);
    this.#copies = new Copies({
      ...files,
      ...{ log, retryMs: limits.retryMs },
      withOutbox: (act) => this.#withOutbox(act),
      onReady: (seq) => this.#ready(seq),
    });
  }

  /** The outbox, opened if need be. Undefined while it cannot be used, and after the stop. Never throws. */
  outbox(): Outbox | undefined {
    if (this.#isStopped) return undefined;
    if (this.#outbox === undefined) this.#attempt(() => this.#open());
    return this.#outbox;
  }

  /**
   * Takes over the incomplete messages that nobody waits for: of an instance that was killed, or that was replaced
   * while OpenClaw still called its hooks. To be called now and then.
   */
  adoptIncomplete(): void {
    const outbox = this.outbox();
    if (outbox === undefined) return;
    this.#attempt(() => {
      for (const seq of outbox.incomplete()) this.#releaseLater(seq, this.#limits.incompleteMs);
    });
  }

  /** Messages that are only in memory. */
  get inMemory(): number {
    return this.#buffer.size;
  }

  /** Removes files that no message needs. To be called at the start. Never rejects. */
  async sweep(): Promise<void> {
    try {
      await this.outbox()?.sweep();
    } catch (error) {
      this.#log.warn(line({}, `files that nobody needs could not be removed: ${reasonOf(error)}`));
    }
  }

  /**
   * Resolves when the message and its files are on disk. If the disk fails: when the hook has waited long enough.
   * `receivedOnly` is set for what only `message_received` has seen: it waits for the complete capture, but not for
   * ever. Never rejects.
   */
  async store(captured: Captured, receivedOnly?: ReceivedOnly): Promise<void> {
    if (!captured.ok) {
      this.#log.error(
        line(aboutOf(captured), `is not a message for Hot Bags, a dead letter in the outbox: ${captured.reason}`),
      );
    }
    this.#writeMemory();
    const files: { settling?: Settling | undefined } = {};
    const put = () => {
      files.settling = this.#put(captured, receivedOnly);
    };
    if (this.#buffer.size > 0 || !this.#attempt(put)) return this.#keepInMemory(captured, receivedOnly);
    this.#recovered();
    if (files.settling !== undefined) await this.#copied(files.settling);
  }

  /**
   * Ends every wait but those for files, tries the disk a last time, and closes the outbox. The log names what is in
   * memory even then. Resolves when the files under way are copied or given up. The next instance goes on with the latter.
   */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#retryTimer);
    this.#writeMemory();
    for (const { captured } of this.#buffer.all()) {
      const lost = "could not be written before the stop: only OpenClaw can still have it";
      this.#log.error(line(aboutOf(captured), lost));
    }
    this.#deadlines.stop();
    this.#stopped.resolve();
    this.#close();
    await this.#copies.stop(this.#limits.stopMs);
  }

  #open(): Outbox {
    if (this.#outbox !== undefined) return this.#outbox;
    const outbox = this.#openOutbox();
    this.#outbox = outbox;
    return outbox;
  }

  #close(): void {
    const outbox = this.#outbox;
    this.#outbox = undefined;
    // Mostly closed because it failed: that it can't even be closed is no news, and changes nothing.
    guarded(
      () => outbox?.close(),
      () => undefined,
    )();
  }

  /** The message is on disk: its hook waits for the copies alone, and for a disk that fails as long as others do. */
  async #copied({ done, delayed }: Settling): Promise<void> {
    const { copyMs, hookWaitMs } = this.#limits;
    await first(copyMs, [done, delayed.then(() => first(hookWaitMs, [done]))]);
  }

  /** Throws what the outbox throws. Returns how the message's files get on, if it has some. */
  #put(captured: Captured, receivedOnly: ReceivedOnly | undefined): Settling | undefined {
    const stored = this.#using((outbox) => {
      failpoint("capture:before-commit");
      const row = outbox.put(captured, Date.now(), receivedOnly !== undefined);
      failpoint("capture:after-commit");
      return row;
    });
    if (stored === undefined) return undefined;
    const { seq } = stored;
    if (receivedOnly !== undefined) {
      // After the stop it is for another instance to release.
      const { incompleteMs, incompleteConsumedMs } = this.#limits;
      if (!this.#isStopped)
        this.#releaseLater(seq, receivedOnly === "likely consumed" ? incompleteConsumedMs : incompleteMs);
      return undefined;
    }
    if (captured.ok && captured.sources !== undefined) return this.#copies.settle(seq);
    this.#log.info(line(aboutOf(captured), "captured"));
    this.#ready(seq);
    return undefined;
  }

  #withOutbox(act: (outbox: Outbox) => void): boolean {
    return this.#attempt(() => this.#using(act));
  }

  /** Hooks that are under way during the stop, or come after it, get a connection for one act. */
  #using<Result>(act: (outbox: Outbox) => Result): Result {
    try {
      return act(this.#open());
    } finally {
      if (this.#isStopped) this.#close();
    }
  }

  /** The message need not wait any longer; perhaps another instance got its complete form. */
  completed(seq: number): void {
    this.#deadlines.clear(seq);
  }

  #ready(seq: number): void {
    this.completed(seq);
    this.#onReady(seq);
  }

  #releaseLater(seq: number, incompleteMs: number): void {
    if (!this.#copies.has(seq)) this.#deadlines.set(seq, incompleteMs);
  }

  /** Nothing more complete came: the message goes as it is, after its files. False if the outbox failed. */
  #release(seq: number): boolean {
    if (this.#copies.has(seq)) return true;
    let hasFiles = false;
    const isDone = this.#withOutbox((outbox) => {
      hasFiles = outbox.get(seq)?.sources !== undefined;
      if (!hasFiles) outbox.release(seq);
    });
    if (!isDone) return false;
    if (hasFiles) void this.#copies.settle(seq);
    else this.#ready(seq);
    return true;
  }

  /** True if it worked. A failure is the outbox's, and is said once a minute as long as it lasts. */
  #attempt(act: () => void): boolean {
    try {
      act();
    } catch (error) {
      // Opened afresh at the next attempt: a file that was moved away or a disk that went read-only does not heal an
      // open handle.
      if (!(error instanceof OutboxFullError)) this.#close();
      const memory = `${this.#buffer.size} message(s) wait in memory`;
      this.#logThrottle.log(() => this.#log.error(line({}, `outbox cannot be used, ${memory}: ${reasonOf(error)}`)));
      return false;
    }
    return true;
  }

  /** What came first is written first, or a chat would be out of order after a full disk. */
  #writeMemory(): void {
    for (let entry = this.#buffer.oldest(); entry !== undefined; entry = this.#buffer.oldest()) {
      const { captured, receivedOnly } = entry;
      const files: { settling?: Settling | undefined } = {};
      const put = () => {
        files.settling = this.#put(captured, receivedOnly);
      };
      if (!this.#attempt(put)) return;
      this.#buffer.forget(entry, files.settling?.done);
      if (this.#buffer.size === 0) this.#recovered();
    }
  }

  /** A message was written and none is left in memory. */
  #recovered(): void {
    if (this.#logThrottle.over()) this.#log.info(line({}, "outbox works again, nothing is left in memory"));
  }

  async #keepInMemory(captured: Captured, receivedOnly: ReceivedOnly | undefined): Promise<void> {
    const deadline = performance.now() + (receivedOnly === undefined ? this.#limits.hookWaitWithoutMemoryMs : 0);
    let entry = this.#isStopped ? undefined : this.#buffer.keep(captured, receivedOnly);
    while (entry === undefined) {
      if (this.#isStopped || performance.now() >= deadline) {
        const lost = "could not be kept: neither outbox nor memory takes it; only OpenClaw can still have it";
        return this.#log.error(line(aboutOf(captured), lost));
      }
      await first(this.#limits.retryMs, [this.#stopped.promise]);
      this.#writeMemory();
      entry = this.#buffer.keep(captured, receivedOnly);
    }
    this.#retryLater();
    // `message_received` owns nothing in OpenClaw, so a wait would only block the next ones.
    if (receivedOnly === undefined)
      await first(this.#limits.hookWaitMs, [this.#stopped.promise, entry.written.promise]);
  }

  #retryLater(): void {
    if (this.#retryTimer !== undefined || this.#isStopped) return;
    const retry = () => {
      this.#retryTimer = undefined;
      this.#writeMemory();
      if (this.#buffer.size > 0) this.#retryLater();
    };
    this.#retryTimer = setTimeout(
      guarded(retry, () => this.#retryLater()),
      this.#limits.retryMs,
    );
  }
}

/** Resolves when one of the promises does, or the time is over. Leaves no timer behind. */
async function first(ms: number, promises: readonly Promise<void>[]): Promise<void> {
  const time = Promise.withResolvers<void>();
  const timer = setTimeout(time.resolve, ms);
  await Promise.race([time.promise, ...promises]);
  clearTimeout(timer);
}

function aboutOf(captured: Captured): About {
  const [account, chat, messageId] = keyOf(captured);
  return { account, chat, messageId };
}
