import type Database from "better-sqlite3";
import type { ReportKind, ReportStore, WaitingReport } from "../reports.ts";
import { COUNTED } from "../reports.ts";
import type { Counters } from "./counters.ts";
import { unlessDamaged } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { ProvenTime } from "./proven-time.ts";
import type { ReportRecorder } from "./report-recorder.ts";

interface ReportsParts {
  db: Database.Database;
  commit: GroupCommit;
  counters: Counters;
  kind: ReportKind;
  recorder: ReportRecorder;
  time: ProvenTime;
}

/** See ReportStore. */
export class Reports implements ReportStore {
  readonly #parts: ReportsParts;
  readonly #kind: ReportKind;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
    this.#kind = parts.kind;
    this.#sql = prepare(parts.db);
  }

  async turn(on: boolean): Promise<number> {
    const { recorder, commit } = this.#parts;
    recorder.turn(on);
    return await commit.run("reports-turned", () => {
      recorder.catchUp(on);
      if (on) return 0;
      const { changes } = this.#sql.dropAll.run(this.#kind);
      this.#count(changes, "dropped");
      return changes;
    });
  }

  onNew(listener: (lanes: number[]) => void): () => void {
    return this.#parts.recorder.onNew(listener);
  }

  async lanes(): Promise<{ lane: number; next_attempt_at: number }[]> {
    return this.#sql.lanes.all(this.#kind);
  }

  async headOf(lane: number): Promise<WaitingReport | undefined> {
    return this.#sql.head.get(this.#kind, lane);
  }

  delivered(id: number): Promise<void> {
    return this.#parts.commit.run("report-delivered", () => this.#done(id, "delivered"));
  }

  drop(id: number): Promise<void> {
    return this.#parts.commit.run("report-dropped", () => this.#done(id, "dropped"));
  }

  dropOld(by: number): Promise<number> {
    return this.#parts.commit.run("reports-dropped", () => {
      const { changes } = this.#sql.dropOld.run(this.#kind, by);
      this.#count(changes, "dropped");
      return changes;
    });
  }

  refused(id: number, nextAttemptAt: number): Promise<void> {
    return this.#parts.commit.run("report-refused", () => void this.#sql.refused.run(nextAttemptAt, id));
  }

  get isBroken(): boolean {
    return this.#parts.recorder.isBroken;
  }

  /** How long the oldest has waited, ms; 0 when none waits, or that can't be read. */
  longestWaitMs(): number {
    const oldest = unlessDamaged(
      () => this.#sql.oldest.get(this.#kind)?.made_at,
      () => undefined,
    );
    return oldest === undefined ? 0 : Math.max(0, this.#parts.time.now() - oldest);
  }

  #done(id: number, as: "delivered" | "dropped"): void {
    this.#count(this.#sql.remove.run(id).changes, as);
  }

  #count(changes: number, as: "delivered" | "dropped"): void {
    const { counters } = this.#parts;
    counters.add(COUNTED[this.#kind].waiting, -changes);
    counters.add(COUNTED[this.#kind][as], changes);
  }
}

function prepare(db: Database.Database) {
  return {
    lanes: db.prepare<[ReportKind], { lane: number; next_attempt_at: number }>(
      `SELECT lane, next_attempt_at FROM reports r WHERE kind = ? AND id =
         (SELECT min(id) FROM reports f WHERE f.kind = r.kind AND f.lane = r.lane) ORDER BY id`,
    ),
    head: db.prepare<[ReportKind, number], WaitingReport>(
      `SELECT id, lane, key, account_id, body, made_at, attempts, next_attempt_at FROM reports
       WHERE kind = ? AND lane = ? ORDER BY id LIMIT 1`,
    ),
    remove: db.prepare<[number]>("DELETE FROM reports WHERE id = ?"),
    dropAll: db.prepare<[ReportKind]>("DELETE FROM reports WHERE kind = ?"),
    dropOld: db.prepare<[ReportKind, number]>("DELETE FROM reports WHERE kind = ? AND made_at <= ?"),
    refused: db.prepare<[number, number]>(
      "UPDATE reports SET attempts = attempts + 1, next_attempt_at = ? WHERE id = ?",
    ),
    oldest: db.prepare<[ReportKind], { made_at: number }>(
      "SELECT made_at FROM reports WHERE kind = ? ORDER BY id LIMIT 1",
    ),
  };
}
