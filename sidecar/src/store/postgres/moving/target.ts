import { failpoint } from "@hotbags/shared";
import type { Clock } from "../../../clock.ts";
import {
  type Arrival,
  type Begun,
  MOVED_TABLES,
  type MovedTable,
  MoveRefusedError,
  type MovingTarget,
  type Row,
  type TellerOf,
  type Written,
} from "../../moving.ts";
import type { Connection, Queries } from "../connection.ts";
import { nameOf } from "../database-name.ts";
import { isOwnFault, wordsOf } from "../faults.ts";
import { migrate } from "../migrate.ts";
import { ProvenTime } from "../proven-time.ts";
import { forgetMachineAlerts, leaveMachineAlerts } from "./alerts.ts";
import { mainAccountOf, putRows, type Whose } from "./put.ts";
import { AT_WORK_UNTIL, connect, lockMoves, mustBeOurs, NO_LIMIT, takeFromAll, told } from "./room.ts";
import { MovingRows } from "./rows.ts";

/** What gives numbers of its own. */
const NUMBERED = ["chats.chat", "messages.seq", "commands.id", "reports.id", "downtimes.id", "audit.id", "restores.id"];

export interface TargetParts {
  clock: Clock;
  /** What is this machine's own lies below it. */
  stateDir: string;
  tellerOf: TellerOf;
}

/** In a PostgreSQL that has no store yet, or a part of one that is being moved. Rejects with MoveRefusedError, or StoreUnusableError. */
export async function openPostgresTarget(url: string, parts: TargetParts): Promise<MovingTarget> {
  const name = nameOf(url);
  const connection = connect(url);
  try {
    await told(name, async () => {
      await migrate(connection);
      await mustBeOurs(connection, name);
    });
    return new PostgresTarget(name, connection, parts);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class PostgresTarget implements MovingTarget {
  readonly name: string;
  readonly #connection: Connection;
  readonly #parts: TargetParts;
  readonly #rows: MovingRows;
  /** Of the source of this move. */
  #fingerprint = "";
  #mainAccount: string | undefined;

  constructor(name: string, connection: Connection, parts: TargetParts) {
    this.name = name;
    this.#connection = connection;
    this.#parts = parts;
    this.#rows = new MovingRows(connection, null);
  }

  async begin(source: { name: string; fingerprint: string }): Promise<Begun> {
    this.#fingerprint = source.fingerprint;
    return await this.#transaction((tx) => begin(tx, this.name, source));
  }

  async put(table: MovedTable, rows: readonly Row[], written: Written): Promise<void> {
    try {
      await this.#put(table, rows, written);
    } catch (error) {
      const cause = error instanceof MoveRefusedError ? error.cause : error;
      if (cause === undefined || !isOwnFault(cause)) throw error;
      const row = await this.#refused(table, rows);
      if (!row) throw error;
      throw new MoveRefusedError(
        `${table.name} ${row.slice(0, table.key).join(" ")} can't be written to ${this.name} (${wordsOf(cause)}): a bit of it may have flipped. Restore a backup of the source, and run this again, which begins anew. Nothing is lost`,
      );
    }
    failpoint("move:after-commit");
  }

  async clear(): Promise<void> {
    await this.#transaction(async (tx) => {
      await this.#mustBeOurs(tx);
      await clear(tx);
    });
  }

  async arrive(arrival: Arrival, leave: () => Promise<void>): Promise<void> {
    // What there is of which value is known by a sidecar's first statements, and not only after a while.
    await told(this.name, () => this.#connection.rows(`ANALYZE ${tables().join(", ")}`));
    await told(this.name, () => leaveMachineAlerts(this.#connection, this.#parts.stateDir));
    failpoint("move:whole");
    await leave();
    failpoint("move:left");
    await this.#transaction(async (tx) => {
      await lockMoves(tx);
      await this.#mustBeOurs(tx);
      await arrive(tx, arrival);
      failpoint("move:arriving");
    });
  }

  count = (table: MovedTable) => told(this.name, () => this.#rows.count(table));
  page = (table: MovedTable, after: Row | null) => told(this.name, () => this.#rows.page(table, after));
  ledger = () => told(this.name, () => this.#rows.ledger());
  provenNow = () => told(this.name, async () => (await ProvenTime.read(this.#connection, this.#parts.clock)).now());
  close = () => this.#connection.close();

  async #put(table: MovedTable, rows: readonly Row[], written: Written): Promise<void> {
    await this.#transaction(async (tx) => {
      await this.#mustBeOurs(tx);
      this.#mainAccount ??= table.isSmall ? await mainAccountOf(tx) : undefined;
      await putRows(tx, table, rows, this.#whose);
      await tx.rows(
        `INSERT INTO move_progress VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET rows = excluded.rows, after = excluded.after`,
        ...[table.name, written.rows, written.after === null ? null : JSON.stringify(written.after)],
      );
      failpoint("move:before-commit");
    });
  }

  get #whose(): Whose {
    return { account: this.#mainAccount ?? "", tellerOf: this.#parts.tellerOf };
  }

  /** The first of these rows that can't be written; none: all can. Each try is taken back. */
  async #refused(table: MovedTable, rows: readonly Row[]): Promise<Row | undefined> {
    let [fine, tried] = [0, rows.length];
    // Of rows[0 .. fine) each can be; of rows[0 .. tried) one can't.
    while (tried - fine > 1) {
      const half = Math.floor((fine + tried) / 2);
      if (await this.#wouldWrite(table, rows.slice(0, half))) fine = half;
      else tried = half;
    }
    return (await this.#wouldWrite(table, rows.slice(0, tried))) ? undefined : rows[fine];
  }

  async #wouldWrite(table: MovedTable, rows: readonly Row[]): Promise<boolean> {
    const taken = new Error("taken back");
    try {
      await this.#connection.transaction(async (tx) => {
        await putRows(tx, table, rows, this.#whose);
        throw taken;
      }, NO_LIMIT);
    } catch (error) {
      return error === taken;
    }
    return true;
  }

  /** Says that somebody is at it. Throws MoveRefusedError where another move has begun. */
  async #mustBeOurs(tx: Queries): Promise<void> {
    const rows = await tx.rows(
      `UPDATE moves SET at_work_until = ${AT_WORK_UNTIL} WHERE way = 'in' AND done_at IS NULL AND fingerprint = $1 RETURNING 1`,
      this.#fingerprint,
    );
    if (rows.length === 0) throw new MoveRefusedError(`another move to ${this.name} has begun meanwhile`);
  }

  #transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return told(this.name, () => this.#connection.transaction(work, NO_LIMIT));
  }
}

async function begin(tx: Queries, name: string, source: { name: string; fingerprint: string }): Promise<Begun> {
  const move = await lockMoves(tx);
  if (
    move?.way === "in" &&
    move.done_at !== null &&
    move.other === source.name &&
    move.fingerprint === source.fingerprint
  )
    return { stage: "arrived", written: new Map() };
  await takeFromAll(tx, name);
  const isKnown = move?.way === "in" && move.done_at === null;
  const isSame = isKnown && move.fingerprint === source.fingerprint;
  if (isKnown && !isSame && move.other !== source.name && move.is_at_work)
    throw new MoveRefusedError(
      `the store of ${move.other} is being moved to ${name} just now: wait until that is done`,
    );
  if (!isKnown) await mustBeEmpty(tx, name);
  if (isKnown && !isSame) await clear(tx);
  await tx.rows(
    `INSERT INTO moves (id, way, other, fingerprint, at_work_until) VALUES (1, 'in', $1, $2, ${AT_WORK_UNTIL})
     ON CONFLICT (id) DO UPDATE SET way = excluded.way, other = excluded.other, fingerprint = excluded.fingerprint,
       done_at = NULL, at_work_until = excluded.at_work_until`,
    ...[source.name, source.fingerprint],
  );
  const written = await tx.rows<{ name: string; rows: number; after: string | null }>("SELECT * FROM move_progress");
  return {
    stage: "copying",
    written: new Map(
      written.map(({ name: table, rows, after }) => [
        table,
        { rows, after: after === null ? null : JSON.parse(after) },
      ]),
    ),
  };
}

/** What a sidecar leaves that was only started there, nobody misses; anything else is somebody's. */
async function mustBeEmpty(tx: Queries, name: string): Promise<void> {
  const used: string[] = [];
  for (const table of tables()) if ((await tx.rows(`SELECT 1 FROM ${table} LIMIT 1`)).length > 0) used.push(table);
  if (used.length > 0)
    throw new MoveRefusedError(
      `${name} is not empty (${used.join(", ")}), and what is there is not of this move: make a database of its own for the bridge (createdb), and name that. Nothing was changed`,
    );
}

async function clear(tx: Queries): Promise<void> {
  await tx.rows(`TRUNCATE ${tables().join(", ")}, move_progress RESTART IDENTITY`);
}

/** All that rows are moved to. */
function tables(): string[] {
  const names = MOVED_TABLES.map(({ name }) => name).filter((name) => name !== "console_numbers");
  return [...names, "responses"];
}

async function arrive(tx: Queries, { provenNow, who, result }: Arrival): Promise<void> {
  for (const one of NUMBERED) {
    const [table, column] = one.split(".");
    await tx.rows(
      `SELECT setval(pg_get_serial_sequence('${table}', '${column}'), max(${column})) FROM ${table} HAVING count(*) > 0`,
    );
  }
  await tx.rows(
    `INSERT INTO proven_time VALUES (1, $1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
     ON CONFLICT (id) DO UPDATE SET proven_at = excluded.proven_at, wall_at = excluded.wall_at`,
    Math.round(provenNow),
  );
  // Of an account that no gateway has any more, what waits is delivered by anybody.
  await tx.rows(
    `INSERT INTO leases (account_id) SELECT account_id FROM chats UNION SELECT account_id FROM reports
       UNION SELECT account_id FROM connections UNION SELECT account_id FROM downtimes ON CONFLICT DO NOTHING`,
  );
  await tx.rows(
    `INSERT INTO audit (at, who, action, kind, subject, result)
     VALUES ((extract(epoch FROM clock_timestamp()) * 1000)::bigint, $1, 'move the store', 'store', 0, $2)`,
    ...[who, result],
  );
  await forgetMachineAlerts(tx);
  await tx.rows("DELETE FROM move_progress");
  await tx.rows("UPDATE moves SET done_at = clock_timestamp()");
}
