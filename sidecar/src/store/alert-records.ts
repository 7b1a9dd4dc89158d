import type Database from "better-sqlite3";
import { unlessDamaged } from "./errors.ts";
import type { GroupCommit } from "./group-commit.ts";

/** Alerts that ended are remembered, the last ones. */
const KEPT_PAST = 200;

/** One alert. Times by the proven time, ms, unless they say otherwise. */
export interface AlertRecord {
  id: string;
  kind: string;
  subject: string;
  text: string;
  /** JSON. */
  details: string;
  /** Wall-clock ms. */
  since_at: number;
  since: number;
  away_since: number | null;
  told_at: number;
  told_amount: number;
  returns: number;
  is_reopened: 0 | 1;
  /** Wall-clock ms. */
  ended_at: number | null;
  ended: number | null;
}

/** A notice that waits for a channel. */
export interface NoticeRecord {
  channel: string;
  number: number;
  told_at: number;
  /** JSON. */
  notice: string;
}

/** Alerts that were written down. What can't be read is none: the alert is raised anew if it lasts. */
export class AlertReads {
  readonly #sql: ReturnType<typeof prepareReads>;

  constructor(db: Database.Database) {
    this.#sql = prepareReads(db);
  }

  /** Those that last, the oldest first. */
  async open(): Promise<AlertRecord[]> {
    return unlessDamaged(
      () => this.#sql.open.all(),
      () => [],
    );
  }

  /** Those that are over, the newest first. */
  async past(limit: number): Promise<AlertRecord[]> {
    return unlessDamaged(
      () => this.#sql.past.all(limit),
      () => [],
    );
  }
}

/** Alerts, and what is still to be told of them. */
export class AlertRecords extends AlertReads {
  readonly #commit: GroupCommit;
  readonly #sql: ReturnType<typeof prepareWrites>;

  constructor(db: Database.Database, commit: GroupCommit) {
    super(db);
    this.#commit = commit;
    this.#sql = prepareWrites(db);
  }

  /** In the order in which they were told. */
  async notices(): Promise<NoticeRecord[]> {
    return unlessDamaged(
      () => this.#sql.notices.all(),
      () => [],
    );
  }

  /** In one transaction. Rejects when the store can't write. */
  write(alerts: readonly AlertRecord[], notices: readonly NoticeRecord[]): Promise<void> {
    return this.#commit.run("alerts", () => {
      for (const alert of alerts) this.#sql.put.run(alert);
      for (const notice of notices) this.#sql.tell.run(notice);
      if (alerts.some(({ ended }) => ended !== null)) this.#sql.forget.run();
    });
  }

  /** The notice does not wait any more. Rejects when the store can't write. */
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
