import { createHash } from "node:crypto";
import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";
import type { CounterName, Counters } from "./counters.ts";
import type { Failures } from "./failures.ts";

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

export interface Settlement {
  reason: string | null;
  whatsappMessageId: string | null;
  /** A part of the text is on the phone and the rest is not: no proof of a send can settle that. */
  partial?: boolean;
}

export type SettledState = "sent" | "queued_by_gateway" | "in_doubt" | "failed";

interface CommandWritesParts {
  db: Database.Database;
  counters: Counters;
  failures: Failures;
  clock: Clock;
}

/** What is written of commands, each with its counters. All of it belongs inside a commit. */
export class CommandWrites {
  readonly #counters: Counters;
  readonly #failures: Failures;
  readonly #clock: Clock;
  readonly #sql: ReturnType<typeof prepare>;

  constructor({ db, counters, failures, clock }: CommandWritesParts) {
    this.#counters = counters;
    this.#failures = failures;
    this.#clock = clock;
    this.#sql = prepare(db);
  }

  /** Writes a response's commands; in the commit that settles their message. */
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

  sending(id: number, gatewayProcess: string | null): void {
    const moved = this.#sql.sending.run(this.#clock.now(), this.#clock.bootMs(), gatewayProcess, id);
    if (moved.changes !== 1) throw new Error(`command ${id} is no longer pending`);
    this.#move("commands_pending", "commands_sending");
  }

  settled(id: number, state: SettledState, { reason, whatsappMessageId, partial }: Settlement): void {
    const now = this.#clock.now();
    const moved = this.#sql.settle.get(state, now, reason, whatsappMessageId, partial ? 1 : 0, id);
    if (!moved) return;
    this.#move("commands_sending", `commands_${state}`);
    if (state === "failed") this.#failures.note("command_failed", moved.seq, reason ?? "it could not be sent");
  }

  proven(id: number, state: "sent" | "queued_by_gateway", whatsappMessageId: string | null): void {
    const moved = this.#sql.proven.run(state, this.#clock.now(), whatsappMessageId, id);
    if (moved.changes === 1) this.#move("commands_in_doubt", `commands_${state}`);
  }

  askedInVain(id: number, gatewayProcess: string | null): void {
    this.#sql.askedInVain.run(gatewayProcess, this.#clock.now(), id);
  }

  /** The row stays as it is, is counted as `to`, and whoever looks for work goes on without it. */
  passOver(id: number, from: "pending" | "sending" | "in_doubt", to: SettledState): void {
    if (this.#sql.passOver.run(id).changes === 1 && from !== to) this.#move(`commands_${from}`, `commands_${to}`);
  }

  notSent(id: number, reason: string): void {
    const moved = this.#sql.notSent.run(reason, id);
    if (moved.changes === 1) this.#move("commands_sending", "commands_pending");
  }

  #move(from: CounterName, to: CounterName): void {
    this.#counters.add(from, -1);
    this.#counters.add(to, 1);
  }
}

function prepare(db: Database.Database) {
  return {
    owner: db.prepare<[string], { payload_sha256: string; chat: number }>(
      "SELECT payload_sha256, chat FROM commands WHERE command_id = ? AND owns_id = 1",
    ),
    insert: db.prepare(
      `INSERT INTO commands (seq, chat, position, command_id, type, text, payload_sha256, state, owns_id, created_at, settled_at, last_error)
       VALUES (@seq, @chat, @position, @command_id, @type, @text, @hash, @state, @owns_id, @now, @settled_at, @error)`,
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
  };
}
