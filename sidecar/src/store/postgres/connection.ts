import { storableText } from "@hotbags/shared";
import pg from "pg";
import { readAddress } from "./encryption.ts";
import { DatabaseError, DisconnectedError, isDisconnection, UncertainCommitError } from "./faults.ts";

/** Who can't be reached in this time, ms, is not there. */
const CONNECT_MS = 10_000;

/**
 * A transaction that stands still is ended by the server after this, ms: a sidecar that is stopped in the midst of one
 * must not keep what it has locked.
 */
const IDLE_MS = 5_000;

/** So long a statement waits for a lock, ms, and takes at all. */
const LOCK_MS = 10_000;
const STATEMENT_MS = 20_000;

/** Nothing came back for this time, ms: the way is cut. The server itself would have ended the statement before. */
const ANSWER_MS = 25_000;

/** Of the server's own settings one could take back what was acknowledged. A stricter one stays. */
const DURABLE =
  "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

/** PostgreSQL's number of `bigint`, which the driver gives as a text. None of ours is beyond 2^53. */
const BIGINT = 20;

/** What statements are given to. Texts in `values` go in without what no Postgres takes (storableText). */
export interface Queries {
  /** The rows of one statement. Throws PostgreSQL's DatabaseError, or DisconnectedError. */
  rows<R extends object>(statement: string, ...values: readonly unknown[]): Promise<R[]>;
}

export interface ConnectionOptions {
  /** `postgres://user:password@host:port/database`, as libpq takes it. */
  url: string;
  /** At the most. */
  connections?: number;
  /** See IDLE_MS. */
  idleMs?: number;
  /** See ANSWER_MS. */
  answerMs?: number;
}

/**
 * The connections to one PostgreSQL, or to a transaction pooler in front of it: nothing here needs that two transactions
 * have the same one. So no statement has a name, limits are set in each transaction anew, and nobody listens.
 */
export class Connection implements Queries {
  readonly #pool: pg.Pool;
  readonly #limits: string;
  #closed: Promise<void> | undefined;

  constructor({ url, connections = 2, idleMs = IDLE_MS, answerMs = ANSWER_MS }: ConnectionOptions) {
    const { url: connectionString, Client } = readAddress(url);
    this.#pool = new pg.Pool({
      ...{ connectionString, Client },
      max: connections,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: answerMs,
      keepAlive: true,
      application_name: "hotbags-bridge",
      types: { getTypeParser },
    });
    // A connection that breaks while nobody waits for it: the next query opens another.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => client.on("error", () => {}));
    this.#limits = `SET LOCAL idle_in_transaction_session_timeout = ${Math.round(idleMs)};
      SET LOCAL lock_timeout = ${LOCK_MS};
      SET LOCAL statement_timeout = ${STATEMENT_MS}`;
  }

  async rows<R extends object>(statement: string, ...values: readonly unknown[]): Promise<R[]> {
    return await onServer(async () => (await this.#pool.query<R>(statement, values.map(storable))).rows);
  }

  /**
   * Runs `work` in one transaction; two round trips more than its statements. Rejects, with nothing of it written, with
   * what `work` throws; with UncertainCommitError where it is not known whether all of it is. `first`: statements without
   * values that go along with the BEGIN.
   */
  async transaction<T>(work: (tx: Queries) => Promise<T>, first = ""): Promise<T> {
    return await this.#run(`BEGIN ISOLATION LEVEL READ COMMITTED; ${this.#limits}; ${DURABLE}; ${first}`, work);
  }

  /** Runs `work`, which only reads: all that it reads is of one instant. */
  async snapshot<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return await this.#run(`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; ${this.#limits}`, work);
  }

  async #run<T>(begin: string, work: (tx: Queries) => Promise<T>): Promise<T> {
    const client = await onServer(() => this.#pool.connect());
    let isBroken = false;
    try {
      await onServer(() => client.query(begin));
      const result = await work({
        rows: (statement, ...values) =>
          onServer(async () => (await client.query(statement, values.map(storable))).rows),
      });
      await commit(client);
      return result;
    } catch (error) {
      isBroken = await rollBack(client, error);
      throw error;
    } finally {
      client.release(isBroken);
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    await this.#closed;
  }
}

/** Resolves with whether the connection is of no use any more. */
async function rollBack(client: pg.PoolClient, error: unknown): Promise<boolean> {
  // What is on its way there, and does not come back, would hold up whoever has this connection next.
  if (error instanceof DisconnectedError || error instanceof UncertainCommitError) return true;
  return await client.query("ROLLBACK").then(
    () => false,
    () => true,
  );
}

async function commit(client: pg.PoolClient): Promise<void> {
  const { command } = await onServer(() => client.query("COMMIT")).catch((error: unknown) => {
    throw isDisconnection(error) ? new UncertainCommitError(error) : error;
  });
  // Of a transaction in which a statement has failed it is no error.
  if (command !== "COMMIT") throw new Error(`the transaction was taken back (${command})`);
}

/** What the driver throws and the server did not say is of the way to it. */
async function onServer<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof DatabaseError) throw error;
    const reason = error instanceof Error ? error.message || String(error) : String(error);
    throw new DisconnectedError(`the server can't be reached: ${reason}`, { cause: error });
  }
}

function storable(value: unknown): unknown {
  if (typeof value === "string") return storableText(value);
  return Array.isArray(value) ? value.map(storable) : value;
}

function getTypeParser(type: number, format?: "text" | "binary") {
  if (type === BIGINT) return Number;
  return format === "binary" ? pg.types.getTypeParser(type, "binary") : pg.types.getTypeParser(type, "text");
}
