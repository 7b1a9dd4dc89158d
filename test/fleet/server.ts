import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { Queries } from "../../sidecar/src/store/postgres/connection.ts";
import { startPostgres } from "../setup/postgres.ts";
import { SCHEMA } from "./schema.ts";

/** Of a statement's own time none is measured here that a busy machine could not make longer. */
const CONNECT_TIMEOUT_MS = 30_000;

/** A real PostgreSQL with the tables of the spike. */
export interface Server extends AsyncDisposable {
  /** The folder of its socket. */
  host: string;
  pid: number;
  pool: pg.Pool;
}

/** Starts one; a sentence where there is none to be had. `settings`: `name=value`. */
export async function startServer(settings: readonly string[] = []): Promise<Server | string> {
  const postgres = await startPostgres({ more: settings });
  if (typeof postgres === "string") return postgres;
  const pool = poolOf(postgres.host);
  await pool.query(SCHEMA);
  return {
    host: postgres.host,
    pid: postgres.pid,
    pool,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

/** Connections to the server, pooler or cable whose socket is in this folder. */
export function poolOf(host: string, max = 10): pg.Pool {
  const pool = new pg.Pool({
    ...{ host, user: "postgres", database: "postgres", max, connectionTimeoutMillis: CONNECT_TIMEOUT_MS },
  });
  // A connection that breaks while nobody waits for it: the next query opens another.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** The same for what of the store is used here. */
export function queriesOf(pool: pg.Pool): Queries {
  return { rows: async (statement, ...values) => (await pool.query(statement, [...values])).rows };
}

/** A folder for a socket, short enough for its path, that PostgreSQL's user may write in. */
export function socketFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(process.getuid?.() === 0 ? "/tmp" : tmpdir(), "hotbags-fl-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
