import { randomUUID } from "node:crypto";
import { storableJson } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { DamageRecord } from "../damage.ts";
import { isDamage } from "../errors.ts";
import type { Rendered, ReportKind } from "../reports.ts";
import { COUNTED, MAX_REPORTS } from "../reports.ts";
import type { Counters } from "./counters.ts";
import { wordsOf } from "./faults.ts";
import type { ProvenTime } from "./proven-time.ts";

/** Reports can't be written, since a page of theirs is damaged. */
export class ReportsDamagedError extends Error {
  override readonly name = "ReportsDamagedError";
}

/** What reports of one kind come from. */
export interface ReportSource {
  readonly kind: ReportKind;
  /** The SQL function that its triggers call. */
  readonly note: string;
  /** `CREATE TEMP TRIGGER` behind each name. */
  readonly triggers: Readonly<Record<string, string>>;
  /** What follows from such a call, at the end of its transaction; null: nothing. `key`: the report's own. */
  render(values: readonly unknown[], key: string): Rendered | null;
  /** Calls that were missed, for no connection of ours has made them. `tell` false: nobody wants to know. In a commit. */
  missed?(tell: boolean): readonly unknown[][];
}

interface RecorderParts {
  db: Database.Database;
  source: ReportSource;
  counters: Counters;
  damage: DamageRecord;
  time: ProvenTime;
}

/**
 * Writes down what Hot Bags is to be told of what changes, in the transaction that changes it: after a crash there are
 * both or neither. By triggers of this connection, so that no write can forget it; where nobody wants reports they are
 * not there.
 */
export class ReportRecorder {
  readonly #parts: RecorderParts;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #listeners = new Set<(lanes: number[]) => void>();
  #isOn = false;
  #isBroken = false;
  #noted: (readonly unknown[])[] = [];
  #told: ((key: string) => Rendered)[] = [];
  #written: number[] = [];

  constructor(parts: RecorderParts) {
    const { db, source } = parts;
    this.#parts = parts;
    this.#sql = prepare(db);
    db.function(source.note, { varargs: true }, (...values) => {
      this.#noted.push(values);
      return null;
    });
  }

  /** They can't be written: none is made until the next start. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Makes reports of what changes from now on, or none. Throws when SQLite does. */
  turn(on: boolean): void {
    if (on === this.#isOn || this.#isBroken) return;
    for (const [name, trigger] of Object.entries(this.#parts.source.triggers))
      this.#parts.db.exec(on ? `CREATE TEMP TRIGGER ${name} ${trigger}` : `DROP TRIGGER temp.${name}`);
    this.#isOn = on;
  }

  /** See `isBroken`. Not inside of a transaction. */
  giveUp({ cause }: ReportsDamagedError): void {
    this.turn(false);
    this.#isBroken = true;
    this.#parts.damage.note(`reports: ${wordsOf(cause)}`);
  }

  /** Told of the lanes that have new reports, once they are on disk. Returns how to stop that. */
  onNew(listener: (lanes: number[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes up for what was missed; `tell` false: nobody wants to know. Belongs inside a commit. */
  catchUp(tell: boolean): void {
    this.#noted.push(...(this.#parts.source.missed?.(tell) ?? []));
  }

  /** Tells of what no row says. Belongs inside a commit. */
  tell(render: (key: string) => Rendered): void {
    if (this.#isOn) this.#told.push(render);
  }

  /** A transaction begins: what one before it has noted was taken back, or is written. */
  begin(): void {
    this.#noted = [];
    this.#told = [];
    this.#written = [];
  }

  /** Belongs inside of the commit, behind all that it changes. Throws ReportsDamagedError. */
  write(): void {
    try {
      const { source } = this.#parts;
      for (const noted of this.#noted) this.#writeOne((key) => source.render(noted, key));
      for (const told of this.#told) this.#writeOne(told);
    } catch (error) {
      if (!isDamage(error)) throw error;
      throw new ReportsDamagedError("reports to Hot Bags can't be written", { cause: error });
    }
  }

  /** All that was written since `begin` is on disk. */
  committed(): void {
    if (this.#written.length > 0) for (const listener of [...this.#listeners]) listener(this.#written);
  }

  #writeOne(render: (key: string) => Rendered | null): void {
    const { source, counters, time } = this.#parts;
    const { kind } = source;
    const key = randomUUID();
    const rendered = render(key);
    if (!rendered) return;
    const { lane, accountId, body } = rendered;
    const text = storableJson(JSON.stringify(body));
    this.#sql.insert.run({ kind, lane, key, account_id: accountId, body: text, now: time.now() });
    const { waiting, dropped } = COUNTED[kind];
    counters.add(waiting, 1);
    this.#written.push(lane);
    if (counters.of(waiting) <= MAX_REPORTS) return;
    const { changes } = this.#sql.dropOldest.run(kind);
    counters.add(waiting, -changes);
    counters.add(dropped, changes);
  }
}

function prepare(db: Database.Database) {
  return {
    insert: db.prepare<
      [{ kind: ReportKind; lane: number; key: string; account_id: string; body: string; now: number }]
    >(
      "INSERT INTO reports (kind, lane, key, account_id, body, made_at) VALUES (@kind, @lane, @key, @account_id, @body, @now)",
    ),
    dropOldest: db.prepare<[ReportKind]>(
      "DELETE FROM reports WHERE id = (SELECT id FROM reports WHERE kind = ? ORDER BY id LIMIT 1)",
    ),
  };
}
