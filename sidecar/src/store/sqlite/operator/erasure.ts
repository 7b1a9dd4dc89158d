import { count, maskAddress } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../../../clock.ts";
import type { CounterName } from "../../counters.ts";
import type { Files } from "../../files.ts";
import type { Erased, ErasureRequest } from "../../operator.ts";
import type { Counters } from "../counters.ts";
import type { ForgottenKeys } from "../forgotten-keys.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Media } from "../media.ts";
import type { ProvenTime } from "../proven-time.ts";
import { isReplicated } from "../replication.ts";
import type { Audit } from "./audit.ts";
import { type CommandOf, CustomerSearch, type MessageOf, NOTHING, STEP_MS } from "./customer-search.ts";

const REASON = "the customer asked to be forgotten";

interface ErasureParts {
  db: Database.Database;
  commit: GroupCommit;
  counters: Counters;
  media: Media;
  files: Files;
  clock: Clock;
  time: ProvenTime;
  audit: Audit;
  forgotten: ForgottenKeys;
}

/**
 * Forgets a customer: texts, files, ids and the number, wherever they are in the database; keyed hashes stay, so that
 * what comes again is known. All messages are gone through, since in groups a customer is only named within. In chunks, so
 * that nothing waits for it; what was begun can be begun anew.
 */
export class Erasure {
  readonly #parts: ErasureParts;
  readonly #search: CustomerSearch;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(parts: ErasureParts) {
    this.#parts = parts;
    this.#search = new CustomerSearch(parts);
    this.#sql = prepare(parts.db);
  }

  /** Goes on for a second. Rejects when the store can't be written, or a page can't be read; what was done stays done. */
  async step(request: ErasureRequest, who: string): Promise<Erased> {
    const { clock } = this.#parts;
    const began = clock.uptimeMs();
    const erased: Erased = {
      found: { ...NOTHING },
      ...{ forgotten: 0, left: 0, next: request.after, progress: 0, isNumberGone: false, isLogCleared: false },
      ...{ chats: [], resolved: [] },
    };
    // Before the number is gone.
    const about = {
      who,
      action: `forget ${maskAddress(request.number)}`,
      chat: this.#sql.chatsOf.get(request.number)?.chat,
    };
    if (request.after === 0) await this.#note(about, "begun");
    while (erased.next !== null && clock.uptimeMs() - began < STEP_MS) await this.#chunk(request, erased.next, erased);
    erased.progress = this.#search.progressAt(erased.next);
    if (erased.next !== null) return erased;
    erased.isLogCleared = this.#clearLog();
    const left = request.left + erased.left;
    const gone = count(request.forgotten + erased.forgotten, "message");
    const result = erased.isNumberGone
      ? `done: ${gone} forgotten`
      : `${gone} forgotten, ${count(left, "message")} left: they wait, or their replies do`;
    await this.#note(about, result);
    return erased;
  }

  async #chunk({ number, left, includingWaiting }: ErasureRequest, after: number, into: Erased): Promise<void> {
    const { commit, files, media } = this.#parts;
    const done = await commit.run("forget-customer", () => {
      const result = { ...into, found: { ...into.found }, chats: [...into.chats], resolved: [...into.resolved] };
      const unneeded = new Set<string>();
      const { rows, next } = this.#search.chunkAfter(number, after);
      for (const row of rows) {
        const commands = this.#search.commandsOf(row);
        this.#search.add(row, commands, result.found);
        if (mustStay(row, commands, includingWaiting)) {
          result.left += 1;
          continue;
        }
        for (const { sha256 } of this.#sql.files.all(row.seq)) unneeded.add(sha256);
        this.#giveUp(row, commands, result);
        this.#scrub(row, commands);
        result.forgotten += 1;
      }
      result.next = next;
      if (next === null) result.isNumberGone = this.#forgetNumber(number, left + result.left);
      return { result, unneeded };
    });
    Object.assign(into, done.result);
    for (const sha256 of done.unneeded) if (!media.isNeeded(sha256)) files.giveUp(sha256);
  }

  /** What waits is given up; see `includingWaiting`. */
  #giveUp(row: MessageOf, commands: CommandOf[], result: Erased): void {
    const { clock, time } = this.#parts;
    const now = Math.round(clock.now());
    if (row.state === "pending") {
      this.#sql.dead.run(now, time.now(), REASON, row.seq);
      this.#move("pending", "dead");
      if (row.detached === 1) this.#parts.counters.add("detached", -1);
    }
    if (row.state !== "delivered" && row.discarded_at === null) {
      this.#sql.discard.run(now, row.seq);
      this.#move("dead", "discarded");
      result.chats.push(row.chat);
    }
    for (const { id, state } of commands) {
      if (state !== "pending" && state !== "in_doubt") continue;
      this.#sql.fail.run(now, REASON, id);
      this.#move(`commands_${state}`, "commands_failed");
      result.resolved.push({ id, chat: row.chat });
    }
  }

  #scrub({ seq, message_id: messageId }: MessageOf, commands: CommandOf[]): void {
    const { media, forgotten } = this.#parts;
    this.#sql.forgetPayload.run(seq);
    this.#sql.forgetAttempts.run(seq);
    media.forget(seq);
    const key = forgotten.make(messageId);
    this.#sql.scrubMessage.run(key, seq);
    this.#sql.scrubFailures.run(key, messageId);
    for (const { id, command_id: commandId } of commands) {
      this.#sql.scrubCommand.run(commandId === null ? null : forgotten.make(commandId), id);
      const { changes } = this.#sql.forgetReports.run(id);
      this.#parts.counters.add("reports_waiting", -changes);
      this.#parts.counters.add("reports_dropped", changes);
    }
  }

  /** Returns whether the number is no longer in the table of chats: where something of theirs waits, it must stay. */
  #forgetNumber(number: string, left: number): boolean {
    if (left > 0) return false;
    const chats = this.#sql.chatsOf.all(number);
    if (chats.some(({ chat }) => this.#sql.waits.get({ chat }) !== undefined)) return false;
    for (const { chat } of chats) {
      this.#sql.endPauses.run(chat);
      this.#sql.scrubChat.run(`${this.#parts.forgotten.make(number)}:${chat}`, chat);
    }
    return true;
  }

  /** What was overwritten is still in the log until that begins anew. */
  #clearLog(): boolean {
    const { db } = this.#parts;
    // Its own copy has what was forgotten for as long as it keeps that, whatever becomes of the log here.
    if (isReplicated(db.name)) return false;
    try {
      const [row] = db.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
      return row?.busy === 0;
    } catch {
      // A disk that fails, which whoever writes next is told of. What was forgotten is forgotten all the same.
      return false;
    }
  }

  /** Without a chat, where the number is only known in groups, or not at all. */
  #note(
    { who, action, chat = 0 }: { who: string; action: string; chat: number | undefined },
    result: string,
  ): Promise<void> {
    const entry = { who, action, kind: "chat", subject: chat, result } as const;
    return this.#parts.commit.run("audit", () => this.#parts.audit.note(entry));
  }

  #move(from: CounterName, to: CounterName): void {
    this.#parts.counters.add(from, -1);
    this.#parts.counters.add(to, 1);
  }
}

/** What is with the gateway can't be called back, and what came of it must be written down. */
function mustStay({ state }: MessageOf, commands: CommandOf[], includingWaiting: boolean): boolean {
  const are = (...states: string[]) => commands.some((command) => states.includes(command.state));
  if (are("sending", "queued_by_gateway")) return true;
  return !includingWaiting && (state === "pending" || are("pending", "in_doubt"));
}

/** A reason can quote what OpenClaw or Hot Bags said, and so the customer. */
const SCRUBBED = (column: string) => `CASE WHEN ${column} IS NULL THEN NULL ELSE 'forgotten with its customer' END`;

function prepare(db: Database.Database) {
  return {
    files: db.prepare<[number], { sha256: string }>("SELECT sha256 FROM media WHERE seq = ?"),
    dead: db.prepare<[number, number, string, number]>(
      `UPDATE messages SET state = 'dead', detached = 0, settled_at = ?, state_since = ?, status = NULL, last_error = ?
       WHERE seq = ?`,
    ),
    discard: db.prepare<[number, number]>("UPDATE messages SET discarded_at = ? WHERE seq = ?"),
    fail: db.prepare<[number, string, number]>(
      "UPDATE commands SET state = 'failed', settled_at = ?, last_error = ? WHERE id = ?",
    ),
    forgetPayload: db.prepare<[number]>("DELETE FROM payloads WHERE seq = ?"),
    forgetAttempts: db.prepare<[number]>("DELETE FROM attempts WHERE seq = ?"),
    scrubMessage: db.prepare<[string, number]>(
      `UPDATE messages SET message_id = ?, has_text = 0, last_error = ${SCRUBBED("last_error")} WHERE seq = ?`,
    ),
    scrubFailures: db.prepare<[string, string]>(
      `UPDATE failures SET message_id = ?, reason = ${SCRUBBED("reason")} WHERE message_id = ?`,
    ),
    // Without the hash of its text: of a short one that would tell what it was.
    scrubCommand: db.prepare<[string | null, number]>(
      `UPDATE commands SET command_id = ?, text = NULL, details = NULL, file = NULL, said = NULL, payload_sha256 = '', whatsapp_message_id = NULL,
         last_error = ${SCRUBBED("last_error")} WHERE id = ?`,
    ),
    // What Hot Bags was still to be told of it has the number in it.
    forgetReports: db.prepare<[number]>("DELETE FROM reports WHERE kind = 'command' AND lane = ?"),
    chatsOf: db.prepare<[string], { chat: number }>("SELECT chat FROM chats INDEXED BY chats_number WHERE chat_id = ?"),
    waits: db.prepare<[{ chat: number }], { one: number }>(
      `SELECT 1 AS one FROM messages WHERE chat = @chat AND state = 'pending' AND detached = 0
       UNION ALL SELECT 1 FROM messages WHERE chat = @chat AND state = 'pending' AND detached = 1
       UNION ALL SELECT 1 FROM commands WHERE chat = @chat AND state = 'pending'
       UNION ALL SELECT 1 FROM commands INDEXED BY commands_sending WHERE chat = @chat AND state = 'sending'
       UNION ALL SELECT 1 FROM commands INDEXED BY commands_in_doubt WHERE chat = @chat AND state = 'in_doubt'
       UNION ALL SELECT 1 FROM commands INDEXED BY commands_handed_over WHERE chat = @chat AND state = 'queued_by_gateway'
       LIMIT 1`,
    ),
    endPauses: db.prepare<[number]>("DELETE FROM pauses WHERE chat = ?"),
    scrubChat: db.prepare<[string, number]>("UPDATE chats SET chat_id = ? WHERE chat = ?"),
  };
}
