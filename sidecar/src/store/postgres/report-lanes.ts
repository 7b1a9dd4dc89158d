import type { ReportStore, WaitingReport } from "../reports.ts";
import { COUNTED } from "../reports.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import type { ProvenTime } from "./proven-time.ts";
import { accountOf, type ReportKind } from "./reports.ts";
import type { Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

interface ReportsParts {
  db: Queries;
  batches: Batches;
  time: ProvenTime;
  accounts: () => readonly string[];
  kind: ReportKind;
  /** Makes reports of what changes from now on, or none. */
  turn: (on: boolean) => void;
}

/** What Hot Bags is still to be told, of one kind, with the verbs of the embedded store: see there. */
export class Reports implements ReportStore {
  /** What can't be written of a report is refused with its change, and keeps no other from being made. */
  readonly isBroken = false;
  readonly #parts: ReportsParts;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  /** Whether somebody wants reports. Resolves with how many were dropped, since nobody does. */
  async turn(on: boolean): Promise<number> {
    this.#parts.turn(on);
    const { batches, kind } = this.#parts;
    return on ? 0 : await batches.run(DROP, { kind, upTo: null });
  }

  /** Told of the lanes that have new reports, once they are committed. Returns how to stop that. */
  onNew(listener: (lanes: number[]) => void): () => void {
    const { batches, kind } = this.#parts;
    return batches.onReports((reports) => {
      const lanes = reports.filter((report) => report.kind === kind).map(({ lane }) => lane);
      if (lanes.length > 0) listener(lanes);
    });
  }

  /** Lanes with a report, the oldest first, and when their first one is due; of one account, or of all that are ours. */
  async lanes(account?: string): Promise<{ lane: number; next_attempt_at: number }[]> {
    return await this.#parts.db.rows<{ lane: number; next_attempt_at: number }>(
      `SELECT lane, next_attempt_at FROM reports WHERE id IN
         (SELECT min(id) FROM reports WHERE account_id = ANY ($1) AND kind = $2 GROUP BY lane) ORDER BY id`,
      ...[account === undefined ? this.#parts.accounts() : [account], this.#parts.kind],
    );
  }

  /** The report that is next in a lane. */
  async headOf(lane: number): Promise<WaitingReport | undefined> {
    const [row] = await this.#parts.db.rows<WaitingReport>(
      `SELECT id, lane, key, account_id, body, made_at, attempts, next_attempt_at FROM reports
       WHERE account_id = ANY ($1) AND kind = $2 AND lane = $3 ORDER BY id LIMIT 1`,
      ...[this.#parts.accounts(), this.#parts.kind, lane],
    );
    return row && { ...row, account_id: accountOf(row) };
  }

  /** Hot Bags has it. */
  async delivered(id: number): Promise<void> {
    await this.#parts.batches.run(DONE, { id, as: "delivered" });
  }

  /** It is given up. */
  async drop(id: number): Promise<void> {
    await this.#parts.batches.run(DONE, { id, as: "dropped" });
  }

  /** Gives all up that were made by this proven time, ms. Resolves with how many. */
  async dropOld(by: number): Promise<number> {
    const { batches, kind } = this.#parts;
    return await batches.run(DROP, { kind, upTo: by });
  }

  /** Hot Bags refused it: it is tried again at this proven time, ms. */
  async refused(id: number, nextAttemptAt: number): Promise<void> {
    await this.#parts.batches.run(REFUSED, { id, nextAttemptAt });
  }

  /** How long the oldest has waited, ms, of each account that has one. */
  async longestWaits(): Promise<Map<string, number>> {
    const { db, time, accounts, kind } = this.#parts;
    const rows = await db.rows<{ account_id: string; at: number }>(
      `SELECT of.account_id, r.made_at AS at FROM unnest($1::text[]) AS of (account_id) CROSS JOIN LATERAL
         (SELECT made_at FROM reports WHERE reports.account_id = of.account_id AND kind = $2 ORDER BY id LIMIT 1) r`,
      ...[accounts(), kind],
    );
    return new Map(rows.map(({ account_id, at }) => [account_id, Math.max(0, time.now() - at)]));
  }
}

const keyOf = ({ id }: { id: number }) => `report ${id}`;

const DONE: Verb<{ id: number; as: "delivered" | "dropped" }, void> = {
  name: "report-done",
  keyOf,
  async write(writing, inputs) {
    const gone = await writing.rows<{ id: number; kind: ReportKind; account_id: string }>(
      "DELETE FROM reports WHERE id = ANY ($2) AND account_id = ANY ($1) RETURNING id, kind, account_id",
      ...[writing.accounts, inputs.map(({ id }) => id)],
    );
    const ends = new Map(inputs.map(({ id, as }) => [id, as]));
    for (const { id, kind, account_id } of gone) count(writing, kind, account_id, ends.get(id) ?? "dropped");
    return inputs.map(() => undefined);
  },
};

const REFUSED: Verb<{ id: number; nextAttemptAt: number }, void> = {
  name: "report-refused",
  keyOf,
  async write(writing, inputs) {
    await writing.rows(
      `UPDATE reports SET attempts = attempts + 1, next_attempt_at = g.at FROM unnest($2::bigint[], $3::bigint[]) AS g (id, at)
       WHERE reports.id = g.id AND reports.account_id = ANY ($1)`,
      ...[writing.accounts, inputs.map(({ id }) => id), inputs.map(({ nextAttemptAt }) => Math.round(nextAttemptAt))],
    );
    return inputs.map(() => undefined);
  },
};

/** `upTo`: made by this proven time; null: all. */
const DROP: Verb<{ kind: ReportKind; upTo: number | null }, number> = {
  name: "reports-dropped",
  keyOf: ({ kind }) => `reports ${kind}`,
  async write(writing, inputs) {
    const dropped: number[] = [];
    for (const { kind, upTo } of inputs) {
      const gone = await writing.rows<{ account_id: string }>(
        `DELETE FROM reports WHERE account_id = ANY ($1) AND kind = $2 AND ($3::bigint IS NULL OR made_at <= $3)
         RETURNING account_id`,
        ...[writing.accounts, kind, upTo],
      );
      for (const { account_id } of gone) count(writing, kind, account_id, "dropped");
      dropped.push(gone.length);
    }
    return dropped;
  },
};

function count(writing: Writing, kind: ReportKind, account: string, as: "delivered" | "dropped"): void {
  writing.count(account, COUNTED[kind].waiting, -1);
  writing.count(account, COUNTED[kind][as], 1);
}
