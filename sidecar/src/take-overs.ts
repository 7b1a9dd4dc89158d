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
  /** Of these, those that need its gateway: they take it up as soon as that is ours, too. */
  beside: readonly Part[];
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
}

/** What of an account is read by each of these parts. */
interface Reading {
  account: string;
  parts: readonly Part[];
  /** The account has become ours. */
  isNew?: boolean;
  read(part: Part): Promise<void> | undefined;
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
  /** What was told of an account in this turn. */
  readonly #news = new Map<string, Set<"owned" | "beside">>();
  #unsubscribe: readonly (() => void)[] = [];

  constructor(parts: TakeOversParts) {
    this.#parts = parts;
    this.#retries = new Retries(BACKOFF, parts.random);
  }

  /** To be called before the parts are started. */
  start(): void {
    const { store, parts } = this.#parts;
    let isLater = false;
    const teller = (what: "owned" | "beside") => (account: string) => {
      if (isLater) this.#tell(account, what);
    };
    this.#unsubscribe = [
      store.onOwned(teller("owned")),
      store.onBeside(teller("beside")),
      store.onTouched((account) => this.#begin({ account, parts, read: (part) => part.look?.(account) })),
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
    this.#news.clear();
    const underWay = [...this.#underWay];
    for (const [end] of underWay) end.abort();
    await Promise.all(underWay.map(([, { done }]) => done));
  }

  /** An account that becomes ours with its gateway is taken up once, in the order of all parts. */
  #tell(account: string, what: "owned" | "beside"): void {
    const told = this.#news.get(account);
    if (told) return void told.add(what);
    const news = new Set([what]);
    this.#news.set(account, news);
    queueMicrotask(() => {
      if (this.#news.get(account) !== news) return;
      this.#news.delete(account);
      const { parts, beside } = this.#parts;
      const isNew = news.has("owned");
      const those = isNew ? parts.filter((part) => news.has("beside") || !beside.includes(part)) : beside;
      this.#begin({ account, parts: those, isNew, read: (part) => part.takeUp(account) });
    });
  }

  #begin(reading: Reading): void {
    const end = new AbortController();
    const done = this.#read(reading, end.signal).finally(() => this.#underWay.delete(end));
    this.#underWay.set(end, { account: reading.account, done });
  }

  #lose(account: string): void {
    this.#news.delete(account);
    for (const [end, its] of this.#underWay) if (its.account === account) end.abort();
    this.#parts.log.warn({ account }, "another sidecar works on this account now");
    for (const part of this.#parts.parts) part.letGo?.(account);
  }

  async #read({ account, parts, read, isNew = false }: Reading, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    while (!signal.aborted) {
      try {
        for (const part of parts) {
          await read(part);
          if (signal.aborted) return;
        }
        this.#retries.clear(account);
        if (isNew) log.info({ account }, "this sidecar works on this account now");
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ account, err: error }, "what waits of this account can't be taken up yet; tried again");
        await pause(this.#retries.add(account).waitMs, signal, this.#parts.timers);
      }
    }
  }
}
