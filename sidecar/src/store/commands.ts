import { createHash } from "node:crypto";
import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";
import type { CounterName, Counters } from "./counters.ts";
import { readRow, unlessDamaged } from "./errors.ts";
import type { Failures } from "./failures.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { ProvenTime } from "./proven-time.ts";

/** A command as the relay read it from a response, in array order. */
export interface CommandFromResponse {
  commandId: string | null;
  type: string | null;
  text: string | null;
  /** The command as it came, for telling a repeat from a reuse of its id. */
  payload: string;
  /** Why it won't be executed; null when it will. */
  refusal: { state: "failed" | "skipped"; reason: string } | null;
}

export interface RecordedCommand {
  commandId: string | null;
  chat: number;
  /** `pending`: to be executed. `repeated`: its id and payload were seen before, nothing was written. */
  outcome: "pending" | "failed" | "skipped" | "repeated";
  reason: string | null;
}

/** A command that waits to be sent, or whose sending was cut off. */
export interface WaitingCommand {
  id: number;
  seq: number;
  chat: number;
  command_id: string;
  message_id: string;
  account_id: string;
  chat_id: string;
  text: string;
  /** When it was handed to the gateway: wall-clock ms, and ms since that machine started. */
  sending_at: number | null;
  sending_boot_ms: number | null;
  gateway_process: string | null;
}

/** A command of which it is not known whether it was sent. */
export interface DoubtfulCommand extends WaitingCommand {
  /** The gateway process that was asked about it last, in vain. */
  asked_process: string | null;
  /** When the operator was told, wall-clock ms. */
  alarmed_at: number | null;
}

export interface Settlement {
  reason: string | null;
  whatsappMessageId: string | null;
  /** A part of the text is on the phone and the rest is not: no proof of a send can settle that. */
  partial?: boolean;
}

export type SettledState = "sent" | "queued_by_gateway" | "in_doubt" | "failed";

/** The commands' side of the store. States: `pending → sending → sent | queued_by_gateway | in_doubt | failed`, `sending → pending` only where it is proven that nothing was sent; on from `queued_by_gateway` by Handovers. */
export class Commands {
  readonly #commit: GroupCommit;
  readonly #counters: Counters;
  readonly #failures: Failures;
  readonly #clock: Clock;
  readonly #time: ProvenTime;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(
    db: Database.Database,
    commit: GroupCommit,
    counters: Counters,
    failures: Failures,
    clock: Clock,
    time: ProvenTime,
  ) {
    this.#commit = commit;
    this.#counters = counters;
    this.#failures = failures;
    this.#clock = clock;
    this.#time = time;
    this.#sql = prepare(db);
  }

  /** Writes a response's commands; belongs inside the commit that settles their message. */
  record(seq: number, chat: number, commands: CommandFromResponse[]): RecordedCommand[] {
    return commands.map((command, position) => this.#recordOne(seq, chat, position, command));
  }

  #recordOne(seq: number, chat: number, position: number, command: CommandFromResponse): RecordedCommand {
    const hash = createHash("sha256").update(command.payload).digest("hex");
    const owner = command.commandId === null ? undefined : this.#sql.owner.get(command.commandId);
    if (owner && owner.payload_sha256 === hash && owner.chat === chat) {
      return { commandId: command.commandId, chat, outcome: "repeated", reason: null };
    }
    const reused = owner
      ? { state: "failed" as const, reason: "its command_id was already used for another command" }
      : null;
    const refusal = reused ?? command.refusal;
    const state = refusal?.state ?? "pending";
    this.#sql.insert.run({
      seq,
      chat,
      position,
      command_id: command.commandId,
      type: command.type,
      text: command.text,
      hash,
      state,
      owns_id: owner ? 0 : 1,
      now: this.#clock.now(),
      settled_at: refusal ? this.#clock.now() : null,
      error: refusal?.reason ?? null,
    });
    this.#counters.add(`commands_${state}`, 1);
    if (refusal?.state === "failed") this.#failures.note("command_failed", seq, refusal.reason);
    return { commandId: command.commandId, chat, outcome: state, reason: refusal?.reason ?? null };
  }

  /** Chats with a command to send, oldest first. Read once at start. Where a page can't be read, every chat may have one. */
  waitingChats(): number[] {
    const rows = unlessDamaged(
      () => this.#sql.waitingChats.all(),
      () => this.#sql.chats.all(),
    );
    return rows.map((row) => row.chat);
  }

  /** The command that is next in a chat. Throws RowUnreadableError. */
  nextOf(chat: number): WaitingCommand | undefined {
    const { next, nextId } = this.#sql;
    return readRow(
      "command",
      () => next.get(chat),
      () => nextId.get(chat)?.id,
    );
  }

  /** Commands that were being sent when the process ended, by id. Read once at start. */
  interrupted(): number[] {
    return this.#sql.interrupted.all().map(({ id }) => id);
  }

  /** Commands in doubt, by id, newest first. Read once at start. */
  inDoubt(limit: number): number[] {
    return this.#sql.inDoubt.all(limit).map(({ id }) => id);
  }

  /** A command in doubt that a proof could still settle; undefined for any other. Throws RowUnreadableError. */
  doubt(id: number): DoubtfulCommand | undefined {
    return readRow(
      "command",
      () => this.#sql.doubt.get(id),
      () => id,
    );
  }

  /** WhatsApp's ids of the replies sent last, as far as they can be read. */
  sentIds(limit: number): string[] {
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

  /** Any command. Throws RowUnreadableError. */
  get(id: number): WaitingCommand | undefined {
    return readRow(
      "command",
      () => this.#sql.get.get(id),
      () => id,
    );
  }

  /** How many commands this gateway process was handed since, ms since the machine started; counts to 1,000, no further. */
  sendsSince(gatewayProcess: string, bootMs: number): number {
    return this.#sql.sendsSince.get(gatewayProcess, bootMs)?.n ?? 0;
  }

  /**
   * What was sent, or may have been, between these times by the wall clock, oldest first. Read once at start; nothing where a page
   * can't be read.
   */
  sentBetween(from: number, to: number): { chat: number; at: number }[] {
    return unlessDamaged(
      () => this.#sql.sentBetween.all(from, to),
      () => [],
    );
  }

  /** The intent to send, on disk before the gateway is asked: what is `sending` after a crash may have gone out. */
  sending(id: number, gatewayProcess: string | null): Promise<void> {
    return this.#commit.run("sending", () => {
      const moved = this.#sql.sending.run(this.#clock.now(), this.#clock.bootMs(), gatewayProcess, id);
      if (moved.changes !== 1) throw new Error(`command ${id} is no longer pending`);
      this.#move("commands_pending", "commands_sending");
    });
  }

  /** How the sending ended. */
  settled(id: number, state: SettledState, { reason, whatsappMessageId, partial }: Settlement): Promise<void> {
    return this.#commit.run(state, () => {
      const now = this.#clock.now();
      const moved = this.#sql.settle.get(state, now, reason, whatsappMessageId, partial ? 1 : 0, id);
      if (!moved) return;
      this.#move("commands_sending", `commands_${state}`);
      if (state === "failed") this.#failures.note("command_failed", moved.seq, reason ?? "it could not be sent");
    });
  }

  /** A command in doubt turned out to have gone. */
  proven(id: number, state: "sent" | "queued_by_gateway", whatsappMessageId: string | null): Promise<void> {
    return this.#commit.run("proven", () => {
      const moved = this.#sql.proven.run(state, this.#clock.now(), whatsappMessageId, id);
      if (moved.changes === 1) this.#move("commands_in_doubt", `commands_${state}`);
    });
  }

  /**
   * A gateway process was asked about a command in doubt, and proved nothing. The operator has been told of it by
   * now.
   */
  askedInVain(id: number, gatewayProcess: string | null): Promise<void> {
    return this.#commit.run("asked-in-vain", () => {
      this.#sql.askedInVain.run(gatewayProcess, this.#clock.now(), id);
    });
  }

  /**
   * A command that can't be read, or whose state can't be written, since a page is damaged. Its row stays as it is
   * there; it is counted as `to`, and passed over.
   */
  passOver(
    id: number,
    from: "pending" | "sending" | "queued_by_gateway" | "in_doubt",
    to: SettledState,
  ): Promise<void> {
    return this.#commit.run("passed-over", () => {
      if (this.#sql.passOver.run(id).changes === 1 && from !== to) this.#move(`commands_${from}`, `commands_${to}`);
    });
  }

  /** It is proven that nothing was sent: the command waits again. */
  notSent(id: number, reason: string): Promise<void> {
    return this.#commit.run("not-sent", () => {
      const moved = this.#sql.notSent.run(reason, id);
      if (moved.changes === 1) this.#move("commands_sending", "commands_pending");
    });
  }

  /** How long the oldest command that waits has waited, since its message was answered, ms; 0 when none waits. */
  longestWaitMs(): number {
    const oldest = this.#sql.oldestWaiting.get();
    return oldest ? Math.max(0, this.#time.now() - oldest.state_since) : 0;
  }

  #move(from: CounterName, to: CounterName): void {
    this.#counters.add(from, -1);
    this.#counters.add(to, 1);
  }
}

function prepare(db: Database.Database) {
  const waiting = `SELECT k.id, k.seq, k.chat, k.command_id, m.message_id, c.account_id, c.chat_id, k.text, k.sending_at, k.sending_boot_ms, k.gateway_process
    FROM commands k JOIN messages m USING (seq) JOIN chats c ON c.chat = k.chat`;
  const notPassedOver = "NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = commands.id)";
  // By an index alone, so that it tells of a row that can't be read. `+?`: see messages.ts.
  const isNext = `state = 'pending' AND ${notPassedOver}`;
  const nextId = `SELECT id FROM commands WHERE chat = +? AND ${isNext} ORDER BY id LIMIT 1`;
  return {
    owner: db.prepare<[string], { payload_sha256: string; chat: number }>(
      "SELECT payload_sha256, chat FROM commands WHERE command_id = ? AND owns_id = 1",
    ),
    insert: db.prepare(
      `INSERT INTO commands (seq, chat, position, command_id, type, text, payload_sha256, state, owns_id, created_at, settled_at, last_error)
       VALUES (@seq, @chat, @position, @command_id, @type, @text, @hash, @state, @owns_id, @now, @settled_at, @error)`,
    ),
    waitingChats: db.prepare<[], { chat: number }>(
      `SELECT chat FROM commands WHERE state = 'pending' AND ${notPassedOver} GROUP BY chat ORDER BY min(id)`,
    ),
    chats: db.prepare<[], { chat: number }>("SELECT chat FROM chats"),
    next: db.prepare<[number], WaitingCommand>(`${waiting} WHERE k.id = (${nextId})`),
    nextId: db.prepare<[number], { id: number }>(nextId),
    interrupted: db.prepare<[], { id: number }>(
      `SELECT id FROM commands WHERE state = 'sending' AND ${notPassedOver} ORDER BY id`,
    ),
    inDoubt: db.prepare<[number], { id: number }>(
      `SELECT id FROM commands WHERE state = 'in_doubt' AND ${notPassedOver} ORDER BY id DESC LIMIT ?`,
    ),
    get: db.prepare<[number], WaitingCommand>(`${waiting} WHERE k.id = +?`),
    doubt: db.prepare<[number], DoubtfulCommand>(
      `SELECT w.*, k.asked_process, k.alarmed_at FROM (${waiting}) w JOIN commands k USING (id)
       WHERE k.id = +? AND k.state = 'in_doubt' AND k.partial = 0`,
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
    askedInVain: db.prepare<[string | null, number, number]>(
      "UPDATE commands SET asked_process = ?, alarmed_at = coalesce(alarmed_at, ?) WHERE id = ? AND state = 'in_doubt'",
    ),
    passOver: db.prepare<[number]>("INSERT OR IGNORE INTO passed_over_commands (id) VALUES (?)"),
    proven: db.prepare<[string, number, string | null, number]>(
      "UPDATE commands SET state = ?, settled_at = ?, whatsapp_message_id = ?, last_error = NULL WHERE id = ? AND state = 'in_doubt'",
    ),
    sending: db.prepare<[number, number, string | null, number]>(
      "UPDATE commands SET state = 'sending', sending_at = ?, sending_boot_ms = ?, gateway_process = ? WHERE id = ? AND state = 'pending'",
    ),
    settle: db.prepare<[string, number, string | null, string | null, number, number], { seq: number }>(
      "UPDATE commands SET state = ?, settled_at = ?, last_error = ?, whatsapp_message_id = ?, partial = ? WHERE id = ? AND state = 'sending' RETURNING seq",
    ),
    notSent: db.prepare<[string, number]>(
      "UPDATE commands SET state = 'pending', last_error = ? WHERE id = ? AND state = 'sending'",
    ),
    oldestWaiting: db.prepare<[], { state_since: number }>(
      `SELECT state_since FROM commands JOIN messages USING (seq) WHERE id =
         (SELECT min(id) FROM commands INDEXED BY commands_pending WHERE state = 'pending' AND ${notPassedOver})`,
    ),
  };
}
