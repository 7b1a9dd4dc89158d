import type { AlertReads, AlertRecord, AlertStore, NoticeRecord } from "../alerts.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { FencedOffError, FLEET } from "./lease.ts";
import { eventReport } from "./reports.ts";
import { refuse, type Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

/** Alerts that ended are remembered, the last ones. */
const KEPT_PAST = 200;

interface AlertRecordsParts {
  db: Queries;
  batches: Batches;
  /** Whose: an account, whose owner tells of it, or FLEET: then who leads does. */
  account: string;
}

const ALERT = `id, kind, subject, text, details, since_at, since, away_since, told_at, told_amount, returns,
  is_reopened::int AS is_reopened, ended_at, ended`;

/** All alerts that the database has: those of each account, and of all together. */
export class AllAlerts implements AlertReads {
  readonly #db: Queries;

  constructor(db: Queries) {
    this.#db = db;
  }

  async open(): Promise<AlertRecord[]> {
    return await this.#db.rows<AlertRecord>(`SELECT ${ALERT} FROM alerts WHERE ended IS NULL ORDER BY since, id`);
  }

  async past(limit: number): Promise<AlertRecord[]> {
    return await this.#db.rows<AlertRecord>(
      `SELECT ${ALERT} FROM alerts WHERE ended IS NOT NULL ORDER BY ended DESC, id LIMIT $1`,
      limit,
    );
  }
}

/** Alerts that are written down in several places. */
export class AlertsOf implements AlertReads {
  readonly #places: readonly AlertReads[];

  constructor(places: readonly AlertReads[]) {
    this.#places = places;
  }

  async open(): Promise<AlertRecord[]> {
    const all = await Promise.all(this.#places.map((place) => place.open()));
    return all.flat().sort((a, b) => a.since - b.since);
  }

  async past(limit: number): Promise<AlertRecord[]> {
    const all = await Promise.all(this.#places.map((place) => place.past(limit)));
    const newest = all.flat().sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0));
    return newest.slice(0, limit);
  }
}

/**
 * Alerts of one account, or of all together, and what is still to be told of them, with the verbs of the embedded store:
 * see there. Each is written, and so told, by one sidecar.
 */
export class AlertRecords implements AlertStore {
  readonly #parts: AlertRecordsParts;

  constructor(parts: AlertRecordsParts) {
    this.#parts = parts;
  }

  /** Those that last, the oldest first. */
  async open(): Promise<AlertRecord[]> {
    const { db, account } = this.#parts;
    return await db.rows<AlertRecord>(
      `SELECT ${ALERT} FROM alerts WHERE account_id = $1 AND ended IS NULL ORDER BY since`,
      account,
    );
  }

  /** Those that are over, the newest first. */
  async past(limit: number): Promise<AlertRecord[]> {
    const { db, account } = this.#parts;
    return await db.rows<AlertRecord>(
      `SELECT ${ALERT} FROM alerts WHERE account_id = $1 AND ended IS NOT NULL ORDER BY ended DESC LIMIT $2`,
      ...[account, limit],
    );
  }

  /** In the order in which they were told. */
  async notices(): Promise<NoticeRecord[]> {
    const { db, account } = this.#parts;
    return await db.rows<NoticeRecord>(
      "SELECT channel, number, told_at, notice FROM notices WHERE account_id = $1 ORDER BY channel, number",
      account,
    );
  }

  /** In one transaction. Rejects when the store can't write, or with FencedOffError. */
  async write(alerts: readonly AlertRecord[], notices: readonly NoticeRecord[]): Promise<void> {
    const { batches, account } = this.#parts;
    await batches.run(WRITTEN, { account, alerts, notices });
  }

  /** The notice does not wait any more. Rejects when the store can't write, or with FencedOffError. */
  async done(channel: string, number: number): Promise<void> {
    const { batches, account } = this.#parts;
    await batches.run(DONE, { account, channel, number });
  }
}

interface Of {
  account: string;
}

function mustOwn(writing: Writing, inputs: readonly Of[]): void {
  refuse(inputs, ({ account }) => {
    const isOurs = account === FLEET ? writing.leads : writing.owns(account);
    return isOurs ? undefined : new FencedOffError(account);
  });
}

const WRITTEN: Verb<Of & { alerts: readonly AlertRecord[]; notices: readonly NoticeRecord[] }, void> = {
  name: "alerts",
  keyOf: ({ account }) => `alerts ${account}`,
  async write(writing, inputs) {
    mustOwn(writing, inputs);
    for (const { account, alerts, notices } of inputs) {
      if (alerts.length > 0) await writeAlerts(writing, account, alerts);
      if (notices.length > 0) await writeNotices(writing, account, notices);
    }
    return inputs.map(() => undefined);
  },
};

async function writeAlerts(writing: Writing, account: string, alerts: readonly AlertRecord[]): Promise<void> {
  // No row twice in a statement; of each as it is last.
  const each = [...new Map(alerts.map((alert) => [alert.id, alert])).values()];
  const column = (name: keyof AlertRecord) => each.map(({ [name]: value }) => whole(value));
  const open = await writing.rows<{ id: string }>(
    `WITH open AS (
       SELECT id FROM alerts WHERE account_id = $1 AND id = ANY ($2) AND ended IS NULL
     ), written AS (
       INSERT INTO alerts SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
         $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::boolean[], $14::bigint[], $15::bigint[])
       ON CONFLICT (account_id, id) DO UPDATE SET kind = excluded.kind, subject = excluded.subject, text = excluded.text,
         details = excluded.details, since_at = excluded.since_at, since = excluded.since, away_since = excluded.away_since,
         told_at = excluded.told_at, told_amount = excluded.told_amount, returns = excluded.returns,
         is_reopened = excluded.is_reopened, ended_at = excluded.ended_at, ended = excluded.ended
     )
     SELECT id FROM open`,
    account,
    ...(["id", "kind", "subject", "text", "details", "since_at", "since", "away_since"] as const).map(column),
    ...(["told_at", "told_amount", "returns"] as const).map(column),
    each.map(({ is_reopened }) => is_reopened === 1),
    ...(["ended_at", "ended"] as const).map(column),
  );
  const wasOpen = new Set(open.map(({ id }) => id));
  for (const alert of each) noteRelink(writing, account, alert, wasOpen.has(alert.id));
  if (each.some(({ ended }) => ended !== null))
    await writing.rows(
      `DELETE FROM alerts WHERE account_id = $1 AND id IN
         (SELECT id FROM alerts WHERE account_id = $1 AND ended IS NOT NULL ORDER BY ended DESC OFFSET ${KEPT_PAST})`,
      account,
    );
}

function whole(value: string | number | null): string | number | null {
  return typeof value === "number" ? Math.round(value) : value;
}

/** Hot Bags is told once, also over restarts, that an account must be linked again, and that it was. */
function noteRelink(writing: Writing, account: string, alert: AlertRecord, wasOpen: boolean): void {
  const { kind, subject, since_at, ended_at, ended } = alert;
  if (kind !== "logged_out" && kind !== "replaced") return;
  if (ended === null && !wasOpen)
    writing.tell(eventReport(["relink_needed", subject, since_at, null, kind], account, writing.now));
  if (ended !== null && wasOpen)
    writing.tell(eventReport(["relinked", subject, since_at, ended_at, kind], account, writing.now));
}

async function writeNotices(writing: Writing, account: string, notices: readonly NoticeRecord[]): Promise<void> {
  const each = [...new Map(notices.map((one) => [`${one.number} ${one.channel}`, one])).values()];
  await writing.rows(
    `INSERT INTO notices SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[])
     ON CONFLICT (account_id, channel, number) DO UPDATE SET told_at = excluded.told_at, notice = excluded.notice`,
    account,
    ...(["channel", "number", "told_at", "notice"] as const).map((name) =>
      each.map(({ [name]: value }) => whole(value)),
    ),
  );
}

const DONE: Verb<Of & { channel: string; number: number }, void> = {
  name: "notice",
  keyOf: ({ account, channel, number }) => `notice ${account} ${channel} ${number}`,
  async write(writing, inputs) {
    mustOwn(writing, inputs);
    await writing.rows(
      `DELETE FROM notices USING unnest($1::text[], $2::text[], $3::bigint[]) AS g (account_id, channel, number)
       WHERE notices.account_id = g.account_id AND notices.channel = g.channel AND notices.number = g.number`,
      inputs.map(({ account }) => account),
      inputs.map(({ channel }) => channel),
      inputs.map(({ number }) => number),
    );
    return inputs.map(() => undefined);
  },
};
