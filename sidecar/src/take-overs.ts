import type { Backoff } from "@hotbags/shared";
import type { Logger } from "pino";
import { pause, type Timers } from "./clock.ts";
import { Retries } from "./retries.ts";
import type { SharedStore } from "./store/index.ts";

/** Waits before what could not be read is tried again: the store is away. */
const BACKOFF: Backoff = { baseMs: 1_000, maxMs: 10_000 };

/** A part that works on what waits in the store. */
interface Part {
  /** Takes up what waits of the account. Rejects when the store fails. */
  takeUp(account: string): Promise<void>;
  /** Another process has written something of the account: finds what there is to do now. Rejects when the store fails. */
  look?(account: string): Promise<void>;
  /** The account is to be given back, and nothing more of it is read: resolves when what is under way has ended. */
  leave?(account: string): Promise<void>;
  /** The account is another process's. */
  letGo?(account: string): void;
}

interface TakeOversParts {
  store: Pick<SharedStore, "onOwned" | "onBeside" | "onTouched" | "onLeaving" | "onLost">;
  /** In the order in which they take an account up. */
  parts: readonly Part[];
  /** Of these, those that need its gateway: they take it up when that is ours, too. */
  beside: readonly Part[];
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
}

/** What of an account is read by each of these parts. */
interface Reading {
  account: string;
  parts: readonly Part[];
  read(part: Part): Promise<void> | undefined;
  done(): void;
}

/**
 * Hands on that an account has become ours while the sidecar runs, that there may be work of it, or that it is ours no more.
 * What was ours when it began was taken up by the start.
 */
export class TakeOvers {
  readonly #parts: TakeOversParts;
  readonly #retries: Retries<string>;
  /** What is being read. Each is over when its account is lost, or when all is read. */
  readonly #underWay = new Map<AbortController, { account: string; done: Promise<void> }>();
  #unsubscribe: readonly (() => void)[] = [];

  constructor(parts: TakeOversParts) {
    this.#parts = parts;
    this.#retries = new Retries(BACKOFF, parts.random);
  }

  /** To be called before the parts are started. */
  start(): void {
    const { store, parts, beside, log } = this.#parts;
    let isLater = false;
    const isOurs = (account: string) => () => log.info({ account }, "this sidecar works on this account now");
    this.#unsubscribe = [
      store.onOwned((account) => {
        if (isLater) this.#begin({ account, parts, read: (part) => part.takeUp(account), done: isOurs(account) });
      }),
      store.onBeside((account) => {
        if (isLater) this.#begin({ account, parts: beside, read: (part) => part.takeUp(account), done: () => {} });
      }),
      store.onTouched((account) => {
        this.#begin({ account, parts, read: (part) => part.look?.(account), done: () => {} });
      }),
      store.onLeaving(async (account) => {
        await Promise.all(parts.map((part) => part.leave?.(account)));
      }),
      store.onLost((account) => this.#lose(account)),
    ];
    isLater = true;
  }

  /** Takes up nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    const underWay = [...this.#underWay];
    for (const [end] of underWay) end.abort();
    await Promise.all(underWay.map(([, { done }]) => done));
  }

  #begin(reading: Reading): void {
    const end = new AbortController();
    const done = this.#read(reading, end.signal).finally(() => this.#underWay.delete(end));
    this.#underWay.set(end, { account: reading.account, done });
  }

  #lose(account: string): void {
    for (const [end, its] of this.#underWay) if (its.account === account) end.abort();
    this.#parts.log.warn({ account }, "another sidecar works on this account now");
    for (const part of this.#parts.parts) part.letGo?.(account);
  }

  async #read({ account, parts, read, done }: Reading, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    while (!signal.aborted) {
      try {
        for (const part of parts) {
          await read(part);
          if (signal.aborted) return;
        }
        this.#retries.clear(account);
        return done();
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ account, err: error }, "what waits of this account can't be taken up yet; tried again");
        await pause(this.#retries.add(account).waitMs, signal, this.#parts.timers);
      }
    }
  }
}
