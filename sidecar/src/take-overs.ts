import type { Backoff } from "@hotbags/shared";
import type { Logger } from "pino";
import { pause, type Timers } from "./clock.ts";
import { Retries } from "./retries.ts";
import type { SharedStore } from "./store/index.ts";

/** Waits before what could not be taken up is tried again: the store is away. */
const BACKOFF: Backoff = { baseMs: 1_000, maxMs: 10_000 };

/** A part that works on what waits in the store. */
interface Part {
  /** Takes up what waits of the account. Rejects when the store fails. */
  takeUp(account: string): Promise<void>;
  /** The account is another process's. */
  letGo?(account: string): void;
}

interface TakeOversParts {
  store: Pick<SharedStore, "onOwned" | "onLost">;
  /** In the order in which they take an account up. */
  parts: readonly Part[];
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
}

/**
 * Hands on that an account has become ours while the sidecar runs, or is ours no more. What was ours when it began was taken
 * up by the start.
 */
export class TakeOvers {
  readonly #parts: TakeOversParts;
  readonly #retries: Retries<string>;
  /** Accounts that are being taken up. Each is over when it is lost, or when all is told. */
  readonly #underWay = new Map<string, AbortController>();
  readonly #done = new Set<Promise<void>>();
  #unsubscribe: readonly (() => void)[] = [];

  constructor(parts: TakeOversParts) {
    this.#parts = parts;
    this.#retries = new Retries(BACKOFF, parts.random);
  }

  /** To be called before the parts are started. */
  start(): void {
    const { store } = this.#parts;
    let isLater = false;
    const onOwned = (account: string) => {
      if (isLater) this.#begin(account);
    };
    this.#unsubscribe = [store.onOwned(onOwned), store.onLost((account) => this.#lose(account))];
    isLater = true;
  }

  /** Takes up nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const underWay of this.#underWay.values()) underWay.abort();
    await Promise.all(this.#done);
  }

  #begin(account: string): void {
    const underWay = new AbortController();
    this.#underWay.set(account, underWay);
    const done = this.#takeUp(account, underWay.signal).finally(() => {
      this.#done.delete(done);
      if (this.#underWay.get(account) === underWay) this.#underWay.delete(account);
    });
    this.#done.add(done);
  }

  #lose(account: string): void {
    this.#underWay.get(account)?.abort();
    this.#parts.log.warn({ account }, "another sidecar works on this account now");
    for (const part of this.#parts.parts) part.letGo?.(account);
  }

  async #takeUp(account: string, signal: AbortSignal): Promise<void> {
    const { parts, log } = this.#parts;
    while (!signal.aborted) {
      try {
        for (const part of parts) {
          await part.takeUp(account);
          if (signal.aborted) return;
        }
        this.#retries.clear(account);
        return log.info({ account }, "this sidecar works on this account now");
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ account, err: error }, "what waits of this account can't be taken up yet; tried again");
        await pause(this.#retries.add(account).waitMs, signal, this.#parts.timers);
      }
    }
  }
}
