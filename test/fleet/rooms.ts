import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { type Clock, systemTimers } from "../../sidecar/src/clock.ts";
import {
  type AlertStore,
  DEFAULT_MEDIA_LIMITS,
  type FigureReads,
  type FigureStore,
  openStore,
  type Store,
} from "../../sidecar/src/store/index.ts";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { openPostgresStore, type PostgresStore } from "../../sidecar/src/store/postgres/index.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

/** What both rooms of the store have so far. */
export type RoomStore = Pick<
  Store,
  | "messages"
  | "commands"
  | "pauses"
  | "handovers"
  | "reports"
  | "events"
  | "downtimes"
  | "outbound"
  | "retention"
  | "operator"
  | "console"
  | "files"
  | "look"
  | "counters"
  | "failures"
  | "adopt"
  | "alertsOf"
  | "figuresOf"
  | "countsByAccount"
  | "countsWhenOwned"
  | "sightings"
  | "leads"
  | "onOwned"
  | "onChange"
  | "provenNow"
> & {
  /** Those of the account "default". */
  alerts: AlertStore;
  figures: FigureStore;
  /** Those of all. */
  allFigures: FigureReads;
};

/** The store of one test, in one of the rooms. */
export interface Opened extends AsyncDisposable {
  store: RoomStore;
  /** Where its attachments lie. */
  dir: string;
  /** As a process that has ended, and another one. */
  reopen(clock?: Clock): Promise<void>;
  /** What the tables have, for what no verb tells; in words that both databases know. */
  look<R extends object>(statement: string): Promise<R[]>;
  /** All rows of all tables, as text. */
  everything(): Promise<string>;
}

type Limits = Partial<typeof DEFAULT_MEDIA_LIMITS>;

export interface Room {
  readonly name: "SQLite" | "PostgreSQL";
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Of the accounts "default", "shop" and "outlet", with delivery reports. */
  open(test: Pick<TestContext, "skip">, clock: Clock, limits?: Limits): Promise<Opened>;
}

const TEN_YEARS_MS = 3_650 * 24 * 3_600_000;

const ACCOUNTS = ["default", "shop", "outlet"];

/** Both rooms, each with what it needs for a file of tests. */
export function rooms(): Room[] {
  return [sqliteRoom(), postgresRoom()];
}

function sqliteRoom(): Room {
  return {
    name: "SQLite",
    start: async () => {},
    stop: async () => {},
    async open(_, clock, limits) {
      const dir = mkdtempSync(join(tmpdir(), "hotbags-room-"));
      const open = (by: Clock) => {
        const opened = openStore(dir, by, { ...DEFAULT_MEDIA_LIMITS, ...limits });
        void opened.reports.turn(true);
        return ofDefault(opened);
      };
      let store = open(clock);
      const look = async <R extends object>(statement: string) => {
        const { default: Database } = await import("better-sqlite3");
        const db = new Database(join(dir, "bridge.sqlite"), { readonly: true });
        try {
          return db.prepare<[], R>(statement).all();
        } finally {
          db.close();
        }
      };
      return {
        dir,
        look,
        get store() {
          return store;
        },
        async reopen(by = clock) {
          store.close();
          store = open(by);
        },
        everything: () =>
          everythingOf(look, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"),
        async [Symbol.asyncDispose]() {
          store.close();
          rmSync(dir, { recursive: true });
        },
      };
    },
  };
}

function postgresRoom(): Room {
  let databases: Databases | string = "it was not started";
  return {
    name: "PostgreSQL",
    async start() {
      databases = await startDatabases();
    },
    async stop() {
      if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
    },
    async open(test, clock, limits) {
      const here = running(test, databases);
      const dir = mkdtempSync(join(tmpdir(), "hotbags-room-"));
      const url = await here.make();
      const direct = new Connection({ url, connections: 1 });
      const open = (by: Clock) => openPostgresIn(url, dir, by, limits);
      let opened: PostgresStore = await open(clock);
      let store: RoomStore = ofDefault(opened);
      return {
        dir,
        get store() {
          return store;
        },
        async reopen(by = clock) {
          await opened.close();
          opened = await open(by);
          store = ofDefault(opened);
        },
        look: (statement) => direct.rows(statement),
        everything: () =>
          everythingOf(
            (statement) => direct.rows(statement),
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
          ),
        async [Symbol.asyncDispose]() {
          await opened.close();
          await direct.close();
          here.giveBack(url);
          rmSync(dir, { recursive: true });
        },
      };
    },
  };
}

/** A store in this database, of the accounts above, whose leases nobody else gets. */
export async function openPostgresIn(url: string, dir: string, clock: Clock, limits?: Limits): Promise<PostgresStore> {
  const opened = await openPostgresStore({
    ...{ url, owner: "here", accounts: ACCOUNTS, clock, timers: systemTimers, stateDir: dir },
    limits: { ...DEFAULT_MEDIA_LIMITS, ...limits },
    // Longer than any test says that it is.
    leaseMs: { ttl: TEN_YEARS_MS, renew: 1_200_000, ask: 1_200_000 },
  });
  await opened.reports.turn(true);
  return opened;
}

async function everythingOf(look: Opened["look"], tables: string): Promise<string> {
  const rows: object[] = [];
  for (const { name } of await look<{ name: string }>(tables)) rows.push(...(await look(`SELECT * FROM ${name}`)));
  const text = (value: unknown) => (Buffer.isBuffer(value) ? value.toString("latin1") : String(value));
  return rows.flatMap((row) => Object.values(row).map(text)).join("\n");
}

/** With what is written of the account "default". */
export function ofDefault<S extends Pick<Store, "alertsOf" | "figures" | "figuresOf">>(store: S) {
  return Object.assign(store, {
    ...{ alerts: store.alertsOf({ account: "default" }), figures: store.figuresOf("default") },
    allFigures: store.figures,
  });
}
