import type { TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { migrate } from "../../sidecar/src/store/postgres/migrate.ts";
import { type Network, type Postgres, startPostgres } from "../setup/postgres.ts";

const TEMPLATE = "bridge_template";

/** A machine that has much to do makes no database in the time that a store gives its server, ms. */
const PATIENCE_MS = 600_000;

/** Databases of the store in a server that somebody else has started (`startDatabases`). */
export interface Made {
  make(): Promise<string>;
  giveBack(url: string): void;
  close(): Promise<void>;
}

/** A real PostgreSQL, and as many databases of the store in it as a test wants. */
export interface Databases extends AsyncDisposable {
  /** The folder of its socket. */
  host: string;
  readonly pid: number;
  /** The server itself, which can be killed and copied. */
  postgres: Postgres;
  /** Of the server's first database, for what is about all of them. */
  server: Connection;
  /** The address of a new one; `empty`: without the store's tables. */
  make(what?: "empty"): Promise<string>;
  /** A test that has changed no table needs its database no more: another one gets it. A new one costs 300 files. */
  giveBack(url: string): void;
}

/**
 * Starts one; a sentence where there is none to be had. `settings`: `name=value`. `smallDiskMb`: its databases lie on a disk
 * of that size. `network`: see startPostgres.
 */
export async function startDatabases(
  settings: readonly string[] = [],
  { smallDiskMb = 0, network = null as Network | null } = {},
): Promise<Databases | string> {
  const postgres = await startPostgres({ more: settings, smallDiskMb, network });
  if (typeof postgres === "string") return postgres;
  const server = new Connection({ url: urlOf(postgres.host, "postgres"), connections: 2, answerMs: PATIENCE_MS });
  const { smallDisk } = postgres;
  if (smallDisk !== null) await server.rows(`CREATE TABLESPACE small LOCATION '${smallDisk}'`);
  await server.rows(`CREATE DATABASE ${TEMPLATE}`);
  const template = new Connection({ url: urlOf(postgres.host, TEMPLATE), connections: 1, answerMs: PATIENCE_MS });
  await migrate(template);
  await template.close();
  const place = smallDisk === null ? "" : " TABLESPACE small";
  let made = 0;
  const free: string[] = [];
  return {
    host: postgres.host,
    get pid() {
      return postgres.pid;
    },
    ...{ postgres, server },
    async make(what) {
      const used = what === "empty" ? undefined : free.pop();
      if (used !== undefined) await clear(used);
      if (used !== undefined) return used;
      const name = `bridge_${++made}`;
      await server.rows(`CREATE DATABASE ${name}${what === "empty" ? "" : ` TEMPLATE ${TEMPLATE}`}${place}`);
      return urlOf(postgres.host, name);
    },
    giveBack: (url) => void free.push(url),
    async [Symbol.asyncDispose]() {
      await server.close();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

/** In the server whose socket is in this folder. */
export function attachDatabases(host: string): Made {
  const server = new Connection({ url: urlOf(host, "postgres"), connections: 1, answerMs: PATIENCE_MS });
  const free: string[] = [];
  let made = 0;
  return {
    async make() {
      const used = free.pop();
      if (used !== undefined) await clear(used);
      if (used !== undefined) return used;
      const name = `bridge_of_${process.pid}_${++made}`;
      await server.rows(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
      return urlOf(host, name);
    },
    giveBack: (url) => void free.push(url),
    close: () => server.close(),
  };
}

/** Without TRUNCATE, which makes each file anew. */
async function clear(url: string): Promise<void> {
  const connection = new Connection({ url, connections: 1, answerMs: PATIENCE_MS });
  const tables = await connection.rows<{ name: string }>(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version'",
  );
  await connection.transaction(async (tx) => {
    await tx.rows("SET LOCAL session_replication_role = replica");
    await tx.rows(tables.map(({ name }) => `DELETE FROM ${name};`).join(" "));
    await tx.rows("SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences");
  });
  await connection.close();
}

/** The address of a database behind the socket in this folder: the server's, a pooler's or a cable's. */
export function urlOf(host: string, database: string): string {
  return `postgres://postgres@${encodeURIComponent(host)}/${database}`;
}

/** The same database behind another socket. */
export function through(host: string, url: string): string {
  return urlOf(host, new URL(url.replace(/@[^/]*/, "@x")).pathname.slice(1));
}

/** Skips the test, with the sentence why, where there is no PostgreSQL here, and no mirror to have it from. CI has it. */
export function running(test: Pick<TestContext, "skip">, databases: Databases | string): Databases {
  return typeof databases === "string" ? test.skip(databases) : databases;
}
