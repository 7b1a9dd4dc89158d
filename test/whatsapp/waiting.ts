interface Waiter<T> {
  readonly accepts: (value: T) => boolean;
  resolve(value: T): void;
  reject(error: Error): void;
  readonly timer: NodeJS.Timeout;
}

/** Callers who wait for a value, each at most for a while. */
export class Waiting<T> {
  readonly #waiters = new Set<Waiter<T>>();

  /** Resolves with the first value offered that is accepted. @throws Error with `explain()` after `timeoutMs`. */
  wait(timeoutMs: number, explain: () => string, accepts: (value: T) => boolean = () => true): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => this.#leave(waiter).reject(new Error(explain())), timeoutMs);
    const waiter: Waiter<T> = { accepts, resolve, reject, timer };
    this.#waiters.add(waiter);
    return promise;
  }

  /** Gives a value to the caller who has waited longest and accepts it. Returns whether there was one. */
  offer(value: T): boolean {
    for (const waiter of this.#waiters) {
      if (!waiter.accepts(value)) continue;
      this.#leave(waiter).resolve(value);
      return true;
    }
    return false;
  }

  /** Gives a value to every caller who accepts it. */
  announce(value: T): void {
    for (const waiter of this.#waiters) if (waiter.accepts(value)) this.#leave(waiter).resolve(value);
  }

  close(reason: string): void {
    for (const waiter of this.#waiters) this.#leave(waiter).reject(new Error(reason));
  }

  #leave(waiter: Waiter<T>): Waiter<T> {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
    return waiter;
  }
}
