import type Database from "better-sqlite3";
import * as z from "zod";
import type {
  CommandStore,
  DoubtfulCommand,
  HandedOver,
  NextCommand,
  SettledState,
  Settlement,
  Told,
  UnsettledState,
  WaitingCommand,
} from "../commands.ts";
import { DAMAGED, RowUnreadableError } from "../errors.ts";
import type { CommandWrites } from "./command-writes.ts";
import { readListed, readRow, unlessDamaged } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";
import { MESSAGE_ID } from "./outbox-rows.ts";
import type { Pauses } from "./pauses.ts";
import type { ProvenTime } from "./proven-time.ts";
import type { WrittenMessages } from "./written.ts";

/** A flipped bit can make anything of a row. */
const waitingCommand = z.object({
  id: z.int(),
  seq: z.int(),
  chat: z.int(),
  command_id: z.string(),
  message_id: z.string(),
  account_id: z.string(),
  chat_id: z.string(),
  type: z.string(),
  text: z.string(),
  details: z.string().nullable(),
  outbound: z.string().nullable(),
  sending_at: z.int().nullable(),
  sending_boot_ms: z.int().nullable(),
  gateway_process: z.string().nullable(),
}) satisfies z.ZodType<WaitingCommand>;

// What only a metric is made of keeps no reply back.
const nextCommand = waitingCommand.extend({ answered_at: z.int().nullable().catch(null) });

interface CommandsParts {
  db: Database.Database;
  commit: GroupCommit;
  writes: CommandWrites;
  pauses: Pauses;
  time: ProvenTime;
  written: WrittenMessages;
}

/** See CommandStore. */
export class Commands implements CommandStore {
  readonly #commit: GroupCommit;
  readonly #writes: CommandWrites;
  readonly #pauses: Pauses;
  readonly #time: ProvenTime;
  readonly #written: WrittenMessages;
  readonly #sql: ReturnType<typeof prepare>;

  constructor({ db, commit, writes, pauses, time, written }: CommandsParts) {
    this.#written = written;
    this.#commit = commit;
    this.#writes = writes;
    this.#pauses = pauses;
    this.#time = time;
    this.#sql = prepare(db);
  }

  async waitingChats(): Promise<number[]> {
    const rows = unlessDamaged(
      () => this.#sql.waitingChats.all(),
      () => this.#sql.chats.all(),
    );
    return rows.map((row) => row.chat);
  }

  async nextOf(chat: number): Promise<NextCommand | undefined> {
    return this.next(chat);
  }

  /** `nextOf` inside a transaction. */
  next(chat: number): NextCommand | undefined {
    const { next, nextId, file } = this.#sql;
    const found = readListed(
      "command",
      () => nextCommand.safeParse(next.get(chat)).data,
      () => nextId.get(chat)?.id,
    );
    if (!found) return undefined;
    const { answered_at: answeredAt, ...command } = found;
    const { id, details } = command;
    // Of most, which are texts alone, nothing more is read.
    const row = readRow(
      "command",
      () => (details === null ? undefined : file.get(id)),
      () => id,
    );
    const pausedMs = this.#pauses.leftMs(chat, id);
    const { to: writtenTo, times } = this.#written.of(command, answeredAt);
    return { ...command, pausedMs, writtenTo, times, file: row?.file ?? null };
  }

  async interrupted(): Promise<number[]> {
    return this.#sql.interrupted.all().map(({ id }) => id);
  }

  async inDoubt(limit: number): Promise<number[]> {
    return this.#sql.inDoubt.all(limit).map(({ id }) => id);
  }

  async doubt(id: number): Promise<DoubtfulCommand | undefined> {
    return readRow(
      "command",
      () => this.#sql.doubt.get(id),
      () => id,
    );
  }

  async sentIds(limit: number): Promise<string[]> {
    const { sentIds, lastSent, sentId } = this.#sql;
    const rows = unlessDamaged(
      () => sentIds.all(limit),
      () =>
        lastSent.all(limit).flatMap(({ id }) =>
          unlessDamaged(
            () => sentId.all(id),
            () => [],
          ),
        ),
    );
    return rows.map((row) => row.whatsapp_message_id);
  }

  async get(id: number): Promise<WaitingCommand> {
    const command = readRow(
      "command",
      () => waitingCommand.safeParse(this.#sql.get.get(id)).data,
      () => id,
    );
    if (!command) throw new RowUnreadableError("command", id, undefined);
    return command;
  }

  async fileOf(id: number): Promise<Buffer | null> {
    return this.#sql.file.get(id)?.file ?? null;
  }

  async sendsSince(gatewayProcess: string, bootMs: number): Promise<number> {
    return this.#sql.sendsSince.get(gatewayProcess, bootMs)?.n ?? 0;
  }

  async sentBetween(from: number, to: number): Promise<{ chat: number; at: number }[]> {
    return unlessDamaged(
      () => this.#sql.sentBetween.all(from, to),
      () => [],
    );
  }

  sending(id: number, gatewayProcess: string | null, behind: number | null = null): Promise<HandedOver | null> {
    return this.#commit.run("sending", () => this.#writes.sending(id, gatewayProcess, behind));
  }

  refused(id: number, reason: string): Promise<void> {
    return this.#commit.run("refused", () => this.#writes.refused(id, reason));
  }

  async settled(id: number, state: SettledState, settlement: Settlement): Promise<boolean> {
    const chat = await this.#commit.run(state, () => this.#writes.settled(id, state, settlement));
    return chat === null || this.#hasNext(chat);
  }

  async settledLater(id: number, state: SettledState, settlement: Settlement): Promise<void> {
    await this.#commit.later(state, () => this.#writes.settled(id, state, settlement));
  }

  proven(id: number, state: "sent" | "queued_by_gateway", whatsappMessageId: string | null): Promise<void> {
    return this.#commit.run("proven", () => this.#writes.proven(id, state, whatsappMessageId));
  }

  askedInVain(id: number, gatewayProcess: string | null): Promise<void> {
    return this.#commit.run("asked-in-vain", () => this.#writes.askedInVain(id, gatewayProcess));
  }

  passOver(id: number, from: UnsettledState, to: SettledState): Promise<void> {
    const command = this.#writes.readDamaged(id);
    return this.#commit.run("passed-over", () => this.#writes.passOver(command, from, to, DAMAGED));
  }

  notSent(id: number, told: Told): Promise<void> {
    return this.#commit.run("not-sent", () => this.#writes.notSent(id, told));
  }

  /**
   * How long the oldest command that waits has waited, since its message was answered or the pause of its chat ended,
   * ms; 0 when none waits. What a pause holds does not wait for us, and for what is in the outbox no customer does.
   */
  longestWaitMs(): number {
    const since = [this.#sql.oldestWaiting.get()?.state_since, this.#pauses.freeSince ?? undefined];
    const waits = since.map((at) => (at === undefined ? 0 : this.#time.now() - at));
    return Math.max(0, ...waits);
  }

  /** How many in doubt are the operator's to resolve, because nobody else is asked about them any more; 1000 at most. */
  doubtsLeft(): number {
    return unlessDamaged(
      () => this.#sql.doubtsLeft.get()?.n ?? 0,
      () => 0,
    );
  }

  /** `nextOf` without reading it, a tenth of the cost. */
  #hasNext(chat: number): boolean {
    return unlessDamaged(
      () => this.#sql.nextId.get(chat) !== undefined,
      () => true,
    );
  }
}

function prepare(db: Database.Database) {
  const columns = `k.id, k.seq, k.chat, k.command_id, ${MESSAGE_ID}, c.account_id, c.chat_id, k.type, k.text, k.details, m.outbound, k.sending_at, k.sending_boot_ms, k.gateway_process`;
  const from = "FROM commands k JOIN messages m USING (seq) JOIN chats c ON c.chat = k.chat";
  const waiting = `SELECT ${columns} ${from}`;
  const answeredAt = "CASE WHEN m.outbound IS NULL THEN m.settled_at END AS answered_at";
  const notPassedOver = "NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = commands.id)";
  // By an index alone, so that it tells of a row that can't be read. `+?`: see messages.ts.
  const isNext = `state = 'pending' AND ${notPassedOver}`;
  const nextId = `SELECT id FROM commands WHERE chat = +? AND ${isNext} ORDER BY id LIMIT 1`;
  return {
    doubtsLeft: db.prepare<[], { n: number }>(
      `SELECT count(*) AS n FROM
         (SELECT 1 FROM commands WHERE state = 'in_doubt' AND (alarmed_at IS NOT NULL OR partial = 1) LIMIT 1000)`,
    ),
    waitingChats: db.prepare<[], { chat: number }>(
      `SELECT chat FROM commands WHERE state = 'pending' AND ${notPassedOver} GROUP BY chat ORDER BY min(id)`,
    ),
    chats: db.prepare<[], { chat: number }>("SELECT chat FROM chats"),
    next: db.prepare<[number]>(`SELECT ${columns}, ${answeredAt} ${from} WHERE k.id = (${nextId})`),
    nextId: db.prepare<[number], { id: number }>(nextId),
    interrupted: db.prepare<[], { id: number }>(
      `SELECT id FROM commands WHERE state = 'sending' AND ${notPassedOver} ORDER BY id`,
    ),
    inDoubt: db.prepare<[number], { id: number }>(
      `SELECT id FROM commands WHERE state = 'in_doubt' AND ${notPassedOver} ORDER BY id DESC LIMIT ?`,
    ),
    file: db.prepare<[number], { file: Buffer | null }>("SELECT file FROM commands WHERE id = ?"),
    get: db.prepare<[number]>(`${waiting} WHERE k.id = +?`),
    // In doubt, or in no state at all: an index has named it.
    doubt: db.prepare<[number], DoubtfulCommand>(
      `SELECT w.*, k.asked_process, k.alarmed_at FROM (${waiting}) w JOIN commands k USING (id)
       WHERE k.id = +? AND k.state NOT IN ('pending', 'sending', 'sent', 'queued_by_gateway', 'failed', 'skipped') AND k.partial = 0`,
    ),
    sendsSince: db.prepare<[string, number], { n: number }>(
      "SELECT count(*) AS n FROM (SELECT 1 FROM commands WHERE gateway_process = ? AND sending_boot_ms >= ? LIMIT 1000)",
    ),
    sentBetween: db.prepare<[number, number], { chat: number; at: number }>(
      "SELECT chat, sending_at AS at FROM commands WHERE sending_at BETWEEN ? AND ? AND state IN ('sending', 'sent', 'queued_by_gateway', 'in_doubt') ORDER BY sending_at",
    ),
    sentIds: db.prepare<[number], { whatsapp_message_id: string }>(
      "SELECT whatsapp_message_id FROM (SELECT whatsapp_message_id FROM commands ORDER BY id DESC LIMIT ?) WHERE whatsapp_message_id IS NOT NULL",
    ),
    lastSent: db.prepare<[number], { id: number }>(
      "SELECT id FROM commands WHERE sending_at IS NOT NULL ORDER BY sending_at DESC LIMIT ?",
    ),
    sentId: db.prepare<[number], { whatsapp_message_id: string }>(
      "SELECT whatsapp_message_id FROM commands WHERE id = ? AND whatsapp_message_id IS NOT NULL",
    ),
    oldestWaiting: db.prepare<[], { state_since: number }>(
      `SELECT state_since FROM commands JOIN messages USING (seq) WHERE id =
         (SELECT min(id) FROM commands INDEXED BY commands_pending WHERE state = 'pending' AND ${notPassedOver}
          AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.chat = commands.chat AND commands.id > p.after_command)
          AND NOT EXISTS (SELECT 1 FROM messages o WHERE o.seq = commands.seq AND o.outbound IS NOT NULL))`,
    ),
  };
}
