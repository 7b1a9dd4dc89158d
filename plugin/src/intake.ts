import type { Captured } from "./capture.ts";
import { Complaint, type Log, line, reasonOf } from "./log.ts";
import { type Outbox, OutboxFullError } from "./outbox.ts";

export type IntakeLimits = {
  /** Messages and bytes kept in memory while the outbox cannot be written. */
  memoryMessages: number;
  memoryBytes: number;
  /**
   * How long a hook waits for the disk while its message is in memory. Until it returns, OpenClaw still owns the
   * message too.
   */
  holdMs: number;
  /**
   * How long a hook waits when even the memory is full. Longer than the 300 s after which OpenClaw takes its claim back
   * and dispatches the message again: it stays the owner then.
   */
  holdWithoutMemoryMs: number;
  /** How often the outbox is tried again. */
  retryMs: number;
  /** How long the net's view of a message waits for the complete one: generous, for it is only missed if OpenClaw consumed the message. */
  heldMs: number;
  /** The same for a text that OpenClaw is likely to consume: a customer's `stop` should not take long. */
  heldConsumedMs: number;
};

/** The net's view of a message, which waits for the complete one. */
export type Held = "unlikely consumed" | "likely consumed";

export const INTAKE_LIMITS: IntakeLimits = {
  memoryMessages: 1_000,
  memoryBytes: 32 * 1024 * 1024,
  holdMs: 20_000,
  holdWithoutMemoryMs: 310_000,
  retryMs: 1_000,
  heldMs: 10_000,
  heldConsumedMs: 2_000,
};

type InMemory = { captured: Captured; held: Held | undefined; bytes: number; written: PromiseWithResolvers<void> };

/**
 * Brings captured messages into the outbox, and survives an outbox that cannot be written: then they wait in bounded
 * memory, in order, the alarm is raised, and the hooks are held for a while so that OpenClaw keeps owning the messages.
 */
export class Intake {
  readonly #openOutbox: () => Outbox;
  readonly #log: Log;
  readonly #limits: IntakeLimits;
  readonly #onReady: (seq: number) => void;
  /** By message, oldest first; the complete capture takes the place of the net's. */
  readonly #memory = new Map<string, InMemory>();
  readonly #heldTimers = new Map<number, NodeJS.Timeout>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #trouble = new Complaint();
  #outbox: Outbox | undefined;
  #memoryBytes = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** `onReady` is told of every message that may be sent from now on. */
  constructor(
    openOutbox: () => Outbox,
    log: Log,
    onReady: (seq: number) => void,
    limits: IntakeLimits = INTAKE_LIMITS,
  ) {
    this.#openOutbox = openOutbox;
    this.#log = log;
    this.#onReady = onReady;
    this.#limits = limits;
  }

  /** The outbox, opened if need be. Undefined while it cannot be used, and after the stop. Never throws. */
  outbox(): Outbox | undefined {
    if (this.#isStopped) return undefined;
    if (this.#outbox === undefined) this.#attempt(() => this.#open());
    return this.#outbox;
  }

  /**
   * Takes over the held messages that nobody waits for: of an instance that was killed, or that was replaced while
   * OpenClaw still called its hooks. To be called now and then.
   */
  adoptHeld(): void {
    const outbox = this.outbox();
    if (outbox === undefined) return;
    this.#attempt(() => {
      for (const seq of outbox.held()) this.#releaseLater(seq, this.#limits.heldMs);
    });
  }

  /** Messages that are only in memory. */
  get inMemory(): number {
    return this.#memory.size;
  }

  /**
   * Resolves when the message is on disk; or, if the disk fails, when the hook has been held long enough. Never
   * rejects. `held` messages are the net's: they become sendable when the complete capture comes, or after a while.
   */
  async store(captured: Captured, held?: Held): Promise<void> {
    if (!captured.ok) {
      const about = { account: captured.account, chat: captured.chat, messageId: captured.messageId };
      this.#log.error(line(about, `is not a message for Hot Bags, parked in the outbox: ${captured.reason}`));
    }
    this.#writeMemory();
    if (this.#memory.size === 0 && this.#attempt(() => this.#put(captured, held))) return this.#recovered();
    await this.#keepInMemory(captured, held);
  }

  /**
   * Ends every hold, tries the disk a last time, and closes the outbox. What is still in memory then is named in the
   * log.
   */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retryTimer);
    this.#writeMemory();
    for (const { captured } of [...this.#memory.values()].slice(0, 100)) {
      this.#log.error(
        line(
          aboutOf(captured),
          "could not be written before the stop and is lost, unless OpenClaw dispatches it again",
        ),
      );
    }
    for (const timer of this.#heldTimers.values()) clearTimeout(timer);
    this.#heldTimers.clear();
    this.#stopped.resolve();
    this.#close();
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
    outbox?.close();
  }

  #put(captured: Captured, held: Held | undefined): void {
    // A hook that was under way during the stop still comes here: it gets a connection for this one message.
    const late = this.#isStopped;
    const stored = this.#open().put(captured, Date.now(), held !== undefined);
    if (late) return this.#close();
    if (stored === undefined) return;
    if (held === undefined) return this.#ready(stored.seq);
    const { heldMs, heldConsumedMs } = this.#limits;
    this.#releaseLater(stored.seq, held === "likely consumed" ? heldConsumedMs : heldMs);
  }

  #ready(seq: number): void {
    clearTimeout(this.#heldTimers.get(seq));
    this.#heldTimers.delete(seq);
    this.#onReady(seq);
  }

  #releaseLater(seq: number, heldMs: number): void {
    if (this.#heldTimers.has(seq)) return;
    const release = () => {
      if (!this.#attempt(() => this.#open().release(seq))) {
        this.#heldTimers.set(seq, setTimeout(release, this.#limits.retryMs));
        return;
      }
      this.#ready(seq);
    };
    this.#heldTimers.set(seq, setTimeout(release, heldMs));
  }

  /** True if it worked. A failure is the outbox's, and is said once a minute as long as it lasts. */
  #attempt(act: () => void): boolean {
    try {
      act();
    } catch (error) {
      // Opened afresh at the next attempt: a file that was moved away or a disk that went read-only does not heal an
      // open handle.
      if (!(error instanceof OutboxFullError)) this.#close();
      const memory = `${this.#memory.size} message(s) wait in memory`;
      this.#trouble.say(() => this.#log.error(line({}, `outbox cannot be used, ${memory}: ${reasonOf(error)}`)));
      return false;
    }
    return true;
  }

  /** What came first is written first, or a chat would be out of order after a full disk. */
  #writeMemory(): void {
    for (const [key, { captured, held, bytes, written }] of this.#memory) {
      if (!this.#attempt(() => this.#put(captured, held))) return;
      this.#memory.delete(key);
      this.#memoryBytes -= bytes;
      written.resolve();
      if (this.#memory.size === 0) this.#recovered();
    }
  }

  /** A message was written and none is left in memory. */
  #recovered(): void {
    if (this.#trouble.over()) this.#log.info(line({}, "outbox works again, nothing is left in memory"));
  }

  async #keepInMemory(captured: Captured, held: Held | undefined): Promise<void> {
    const key = Object.values(aboutOf(captured)).join("\n");
    const bytes = Buffer.byteLength(JSON.stringify(captured));
    const deadline = performance.now() + (held ? 0 : this.#limits.holdWithoutMemoryMs);
    while (this.#isStopped || !this.#hasMemory(bytes)) {
      if (this.#isStopped || performance.now() >= deadline) {
        this.#log.error(
          line(
            aboutOf(captured),
            "could not be kept: neither outbox nor memory takes it; only OpenClaw can still have it",
          ),
        );
        return;
      }
      await this.#first(this.#limits.retryMs);
      this.#writeMemory();
    }
    const known = this.#memory.get(key);
    const written = known?.written ?? Promise.withResolvers<void>();
    if (known === undefined || (known.held && !held)) {
      this.#memory.set(key, { captured, held, bytes, written });
      this.#memoryBytes += bytes - (known?.bytes ?? 0);
    }
    this.#retryLater();
    // The net's hook owns nothing in OpenClaw, so holding it would only block the next ones.
    if (!held) await this.#first(this.#limits.holdMs, written.promise);
  }

  #hasMemory(bytes: number): boolean {
    return this.#memory.size < this.#limits.memoryMessages && this.#memoryBytes + bytes <= this.#limits.memoryBytes;
  }

  #retryLater(): void {
    if (this.#retryTimer !== undefined || this.#isStopped) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#writeMemory();
      if (this.#memory.size > 0) this.#retryLater();
    }, this.#limits.retryMs);
  }

  /** The first of: the time is over, the instance stops, the given promise. Leaves no timer behind. */
  async #first(ms: number, promise?: Promise<void>): Promise<void> {
    const time = Promise.withResolvers<void>();
    const timer = setTimeout(time.resolve, ms);
    await Promise.race([time.promise, this.#stopped.promise, ...(promise === undefined ? [] : [promise])]);
    clearTimeout(timer);
  }
}

function aboutOf(captured: Captured): { account: string; chat: string; messageId: string } {
  if (!captured.ok) return { account: captured.account, chat: captured.chat, messageId: captured.messageId };
  const { account_id, chat_id, message_id } = captured.message;
  return { account: account_id, chat: chat_id, messageId: message_id };
}
