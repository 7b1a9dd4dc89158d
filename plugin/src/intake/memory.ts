import { type Captured, keyOf } from "../capture/capture.ts";

/** Says that only `message_received` has seen a message, which waits for the complete one. */
export type Held = "unlikely consumed" | "likely consumed";

export type InMemory = {
  captured: Captured;
  held: Held | undefined;
  bytes: number;
  written: PromiseWithResolvers<void>;
};

/** Messages that the outbox could not take, oldest first, within bounds. */
export class Memory {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #byMessage = new Map<string, InMemory>();
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#byMessage.size;
  }

  /** Keeps a message, or completes what `message_received` saw of it. Undefined if there is no room. */
  keep(captured: Captured, held: Held | undefined): InMemory | undefined {
    const key = keyOf(captured).join("\n");
    const known = this.#byMessage.get(key);
    if (known !== undefined && (known.held === undefined || held !== undefined)) return known;
    const bytes = Buffer.byteLength(JSON.stringify(captured));
    const added = bytes - (known?.bytes ?? 0);
    if (this.#byMessage.size >= this.#maxMessages && known === undefined) return undefined;
    if (this.#bytes + added > this.#maxBytes) return undefined;
    const entry = { captured, held, bytes, written: known?.written ?? Promise.withResolvers<void>() };
    this.#byMessage.set(key, entry);
    this.#bytes += added;
    return entry;
  }

  oldest(): InMemory | undefined {
    return this.#byMessage.values().next().value;
  }

  all(): Iterable<InMemory> {
    return this.#byMessage.values();
  }

  /** The message is in the outbox now, and its files are copied when `settled` resolves. */
  forget(entry: InMemory, settled?: Promise<void>): void {
    if (!this.#byMessage.delete(keyOf(entry.captured).join("\n"))) return;
    this.#bytes -= entry.bytes;
    entry.written.resolve(settled);
  }
}
