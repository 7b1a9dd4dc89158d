import type Database from "better-sqlite3";
import type { AlertRecord, AlertStore, NoticeRecord } from "../alerts.ts";
import { unlessDamaged } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";

/** Alerts that ended are remembered, the last ones. */
const KEPT_PAST = 200;

/** See AlertReads. */
export class AlertReads implements AlertReads {
  readonly #sql: ReturnType<typeof prepareReads>;

  constructor(db: Database.Database) {
    this.#sql = prepareReads(db);
  }

  async open(): Promise<AlertRecord[]> {
    return unlessDamaged(
      () => this.#sql.open.all(),
      () => [],
    );
  }

  async past(limit: number): Promise<AlertRecord[]> {
    return unlessDamaged(
      () => this.#sql.past.all(limit),
      () => [],
    );
  }
}

/** See AlertStore. */
export class AlertRecords extends AlertReads implements AlertStore {
  readonly #commit: GroupCommit;
  readonly #sql: ReturnType<typeof prepareWrites>;

  constructor(db: Database.Database, commit: GroupCommit) {
    super(db);
    this.#commit = commit;
    this.#sql = prepareWrites(db);
  }

  async notices(): Promise<NoticeRecord[]> {
    return unlessDamaged(
      () => this.#sql.notices.all(),
      () => [],
    );
  }

  write(alerts: readonly AlertRecord[], notices: readonly NoticeRecord[]): Promise<void> {
    return this.#commit.run("alerts", () => {
      for (const alert of alerts) this.#sql.put.run(alert);
      for (const notice of notices) this.#sql.tell.run(notice);
      if (alerts.some(({ ended }) => ended !== null)) this.#sql.forget.run();
    });
  }

  done(channel: string, number: number): Promise<void> {
    return this.#commit.run("notice", () => void this.#sql.done.run(channel, number));
  }
}

function prepareReads(db: Database.Database) {
  return {
    open: db.prepare<[], AlertRecord>("SELECT * FROM alerts WHERE ended IS NULL ORDER BY since"),
    past: db.prepare<[number], AlertRecord>("SELECT * FROM alerts WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT ?"),
  };
}

function prepareWrites(db: Database.Database) {
  return {
    notices: db.prepare<[], NoticeRecord>("SELECT * FROM notices ORDER BY channel, number"),
    put: db.prepare<[AlertRecord]>(
      `INSERT OR REPLACE INTO alerts VALUES (@id, @kind, @subject, @text, @details, @since_at, @since, @away_since,
         @told_at, @told_amount, @returns, @is_reopened, @ended_at, @ended)`,
    ),
    tell: db.prepare<[NoticeRecord]>("INSERT OR REPLACE INTO notices VALUES (@channel, @number, @told_at, @notice)"),
    done: db.prepare<[string, number]>("DELETE FROM notices WHERE channel = ? AND number = ?"),
    forget: db.prepare(
      `DELETE FROM alerts WHERE id IN
         (SELECT id FROM alerts WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT -1 OFFSET ${KEPT_PAST})`,
    ),
  };
}
