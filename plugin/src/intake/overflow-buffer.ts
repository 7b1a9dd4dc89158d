import { type Captured, keyOf } from "../capture/capture.ts";

/** Says that only `message_received` has seen a message, which waits for the complete one. */
export type ReceivedOnly = "unlikely consumed" | "likely consumed";

export type Buffered = {
  captured: Captured;
  receivedOnly: ReceivedOnly | undefined;
  bytes: number;
  written: PromiseWithResolvers<void>;
};

/** Messages that the outbox could not take, oldest first, within bounds. */
export class OverflowBuffer {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #byMessage = new Map<string, Buffered>();
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#byMessage.size;
  }

  /** Keeps a message, or completes what `message_received` saw of it. Undefined if there is no room. */
  keep(captured: Captured, receivedOnly: ReceivedOnly | undefined): Buffered | undefined {
    const key = keyOf(captured).join("\n");
    const known = this.#byMessage.get(key);
    if (known !== undefined && (known.receivedOnly === undefined || receivedOnly !== undefined)) return known;
    const bytes = Buffer.byteLength(JSON.stringify(captured));
    const added = bytes - (known?.bytes ?? 0);
    if (this.#byMessage.size >= this.#maxMessages && known === undefined) return undefined;
    if (this.#bytes + added > this.#maxBytes) return undefined;
    const entry = { captured, receivedOnly, bytes, written: known?.written ?? Promise.withResolvers<void>() };
    this.#byMessage.set(key, entry);
    this.#bytes += added;
    return entry;
  }

  oldest(): Buffered | undefined {
    return this.#byMessage.values().next().value;
  }

  all(): Iterable<Buffered> {
    return this.#byMessage.values();
  }

  /** The message is in the outbox now, and its files are copied when `settled` resolves. */
  forget(entry: Buffered, settled?: Promise<void>): void {
    if (!this.#byMessage.delete(keyOf(entry.captured).join("\n"))) return;
    this.#bytes -= entry.bytes;
    entry.written.resolve(settled);
  }
}
