import type { Clock } from "../../clock.ts";
import type { Change } from "../changes.ts";
import type { CounterName } from "../counters.ts";
import type { FailureKind } from "../look.ts";
import { OUTBOX } from "../outbound.ts";
import { COUNTED, MAX_REPORTS } from "../reports.ts";
import type { Queries } from "./connection.ts";
import { forgottenId } from "./forgotten.ts";
import { FencedOffError, FLEET, type Guarded } from "./lease.ts";
import type { ProvenTime } from "./proven-time.ts";
import { type CommandChange, type Report, type ReportKind, renderReports } from "./reports.ts";

/** A message that has changed, as the statement that did it says. */
export interface MessageChange {
  seq: number;
  account_id: string;
  chat_id: string;
  message_id: string;
  outbound: string | null;
}

export interface WritingParts {
  tx: Queries;
  guarded: Pick<Guarded, "accounts" | "secret">;
  clock: Clock;
  time: ProvenTime;
  /** What Hot Bags wants to be told. */
  wanted: ReadonlySet<ReportKind>;
}

/**
 * One transaction of the store, and what follows from its verbs: counters, failures, reports and what listeners are told,
 * all of which are written once, at its end.
 */
export class Writing implements Queries {
  readonly #parts: WritingParts;
  readonly #counts = new Map<string, { account: string; name: CounterName; by: number }>();
  readonly #failures = new Map<
    string,
    { account: string; kind: FailureKind; messageId: string; reason: string; n: number }
  >();
  readonly #commands: CommandChange[] = [];
  readonly #told: Report[] = [];
  /** To be told once all of it is on disk. */
  readonly changes: Change[] = [];
  /** New reports. */
  reports: readonly Report[] = [];

  constructor(parts: WritingParts) {
    this.#parts = parts;
  }

  rows<R extends object>(statement: string, ...values: readonly unknown[]): Promise<R[]> {
    return this.#parts.tx.rows<R>(statement, ...values);
  }

  /** What may be changed, for `= ANY ($n)`. */
  get accounts(): string[] {
    return [...this.#parts.guarded.accounts];
  }

  /** Throws FencedOffError where the account is not ours. */
  mustOwn(account: string): void {
    if (!this.owns(account)) throw new FencedOffError(account);
  }

  /** Whether the account is ours. The fleet is none, whatever a message says of where it is from. */
  owns(account: string): boolean {
    return account !== FLEET && this.#parts.guarded.accounts.has(account);
  }

  /** Whether what is done once for all accounts is ours to do. */
  get leads(): boolean {
    return this.#parts.guarded.accounts.has(FLEET);
  }

  /** What stands in for an id of somebody who was forgotten; null: nobody was. */
  forgotten(id: string): string | null {
    const { secret } = this.#parts.guarded;
    return secret && forgottenId(secret, id);
  }

  /** Wall-clock ms. */
  get now(): number {
    return Math.round(this.#parts.clock.now());
  }

  get bootMs(): number {
    return this.#parts.clock.bootMs();
  }

  /** Ms of proven time. */
  get provenNow(): number {
    return this.#parts.time.now();
  }

  count(account: string, name: CounterName, by: number): void {
    const key = `${name} ${account}`;
    const count = this.#counts.get(key);
    if (count) count.by += by;
    else this.#counts.set(key, { account, name, by });
  }

  /** A command has gone from one state to the other; null: it is new. */
  moved(account: string, from: CounterName | null, to: CounterName): void {
    if (from !== null) this.count(account, from, -1);
    this.count(account, to, 1);
  }

  failed(account: string, kind: FailureKind, messageId: string, reason: string): void {
    const key = `${kind} ${account}`;
    const n = (this.#failures.get(key)?.n ?? 0) + 1;
    this.#failures.set(key, { account, kind, messageId, reason, n });
  }

  messageChanged(message: MessageChange, what: Change["what"], reason: string | null): void {
    const { seq: id, account_id, chat_id, message_id, outbound } = message;
    if (outbound !== null) return;
    this.changes.push({ kind: "message", id, what, account_id, chat_id, message_id, command_id: null, reason });
  }

  commandChanged(change: CommandChange): void {
    const { id, to, account_id, chat_id, command_id, last_error: reason } = change;
    const [message_id, what] = [null, to as Change["what"]];
    this.changes.push({ kind: "command", id, what, account_id, chat_id, message_id, command_id, reason });
    this.#commands.push(change);
  }

  /** Hot Bags is to be told of what no row says. */
  tell(report: Report): void {
    this.#told.push(report);
  }

  /** Writes what follows from all that was done. */
  async end(): Promise<void> {
    await this.#writeReports();
    await this.#writeCounts();
    await this.#writeFailures();
  }

  async #writeReports(): Promise<void> {
    const { wanted } = this.#parts;
    const ofCommands = wanted.has("command") ? renderReports(this.#commands, this.now) : [];
    const reports = [...ofCommands, ...this.#told.filter(({ kind }) => wanted.has(kind))];
    if (reports.length === 0) return;
    await this.rows(
      `INSERT INTO reports (kind, lane, key, account_id, body, made_at)
       SELECT kind, lane, key, account_id, body, $6::bigint
       FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
         AS g (kind, lane, key, account_id, body, n) ORDER BY n`,
      ...(["kind", "lane", "key", "account", "body"] as const).map((column) => reports.map((report) => report[column])),
      this.provenNow,
    );
    for (const { kind, account } of reports) this.count(account, COUNTED[kind].waiting, 1);
    this.reports = reports;
  }

  async #writeCounts(): Promise<void> {
    const counts = [...this.#counts.values()].filter(({ by }) => by !== 0);
    if (counts.length === 0) return;
    const written = await this.rows<{ account_id: string; name: string; value: number }>(
      // Those that there are first: ON CONFLICT logs a lock of each besides. Nobody else writes an account's at the same time,
      // for its lease is locked.
      `WITH given AS (
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) AS g (account_id, name, value)
       ), known AS (
         UPDATE counters c SET value = c.value + g.value FROM given g WHERE c.account_id = g.account_id AND c.name = g.name
         RETURNING c.account_id, c.name, c.value
       ), made AS (
         INSERT INTO counters (account_id, name, value)
         SELECT * FROM given g WHERE NOT EXISTS (SELECT 1 FROM known k WHERE k.account_id = g.account_id AND k.name = g.name)
         ORDER BY 1, 2 ON CONFLICT (account_id, name) DO UPDATE SET value = counters.value + excluded.value
         RETURNING account_id, name, value
       )
       SELECT * FROM known UNION ALL SELECT * FROM made`,
      ...(["account", "name", "by"] as const).map((column) => counts.map((count) => count[column])),
    );
    for (const kind of ["command", "event"] as const)
      for (const { account_id, name, value } of written)
        if (name === COUNTED[kind].waiting && value > MAX_REPORTS)
          await this.#makeRoom(kind, account_id, value - MAX_REPORTS);
  }

  /** The oldest reports make room. */
  async #makeRoom(kind: ReportKind, account: string, count: number): Promise<void> {
    const { waiting, dropped } = COUNTED[kind];
    await this.rows(
      `WITH gone AS (DELETE FROM reports WHERE id IN
         (SELECT id FROM reports WHERE account_id = $1::text AND kind = $3 ORDER BY id LIMIT $2) RETURNING 1),
       counts AS (SELECT count(*) AS n FROM gone)
       INSERT INTO counters SELECT $1::text, name, n * sign
       FROM counts, (VALUES ($4::text, 1), ($5::text, -1)) AS of (name, sign)
       ON CONFLICT (account_id, name) DO UPDATE SET value = counters.value + excluded.value`,
      ...[account, count, kind, dropped, waiting],
    );
  }

  async #writeFailures(): Promise<void> {
    const failures = [...this.#failures.values()];
    if (failures.length === 0) return;
    await this.rows(
      `INSERT INTO failures (account_id, kind, at, message_id, reason, count)
       SELECT account_id, kind, $6::bigint, message_id, reason, n
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS g (account_id, kind, message_id, reason, n)
       ORDER BY 1, 2
       ON CONFLICT (account_id, kind) DO UPDATE SET at = excluded.at, message_id = excluded.message_id,
         reason = excluded.reason, count = failures.count + excluded.count`,
      ...(["account", "kind", "messageId", "reason", "n"] as const).map((column) =>
        failures.map((failure) => failure[column]),
      ),
      this.now,
    );
  }
}

/** As people and reports name the message of a command. */
export function nameOf({ message_id, outbound }: { message_id: string; outbound: string | null }): string {
  return outbound === null ? message_id : OUTBOX;
}
