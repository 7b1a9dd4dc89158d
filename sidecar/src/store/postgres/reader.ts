import type { Outage } from "../outage.ts";
import type { Connection, Queries } from "./connection.ts";
import { DisconnectedError, isDisconnection } from "./faults.ts";

/**
 * Reads, which fail at once while the database is away: a server that says nothing keeps whoever asks for ten seconds, each
 * time. Whether it is back the outage's own probe tells.
 */
export class Reader implements Queries {
  readonly #connection: Connection;
  readonly #outage: () => Outage | null;

  constructor(connection: Connection, outage: () => Outage | null) {
    this.#connection = connection;
    this.#outage = outage;
  }

  rows<R extends object>(statement: string, ...values: readonly unknown[]): Promise<R[]> {
    return this.#ask(() => this.#connection.rows<R>(statement, ...values));
  }

  /** See Connection. */
  snapshot<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return this.#ask(() => this.#connection.snapshot(work));
  }

  /** Rejects with DisconnectedError, whoever has noticed. */
  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    const outage = this.#outage();
    if (outage?.isAway) {
      const since = new Date(outage.since).toISOString();
      throw new DisconnectedError(`the database is away since ${since} (${outage.failure})`);
    }
    try {
      return await ask();
    } catch (error) {
      if (error instanceof DisconnectedError || !isDisconnection(error)) throw error;
      throw new DisconnectedError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }
}
