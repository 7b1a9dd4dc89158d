import { randomUUID } from "node:crypto";
import { FIRST_CURSOR, transportSessionId } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import type { CommandFromResponse, RecordedCommand } from "../commands.ts";
import type { OutboundStore } from "../outbound.ts";
import { MAX_OUTBOUND_WAITING, OUTBOX, type OutboundFromAnswer, type OutboundPage } from "../outbound.ts";
import { DAY_MS, type OutboundRules, whyNot } from "../outbound-rules.ts";
import type { CommandWrites } from "./command-writes.ts";
import type { Counters } from "./counters.ts";
import type { Failures } from "./failures.ts";
import { unlessDamaged } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { ProvenTime } from "./proven-time.ts";
import type { ReportRecorder } from "./report-recorder.ts";

interface OutboundParts {
  db: Database.Database;
  commit: GroupCommit;
  counters: Counters;
  failures: Failures;
  commands: CommandWrites;
  recorder: Pick<ReportRecorder, "tell">;
  clock: Clock;
  time: ProvenTime;
}

/** See OutboundStore. */
export class Outbound implements OutboundStore {
  readonly #parts: OutboundParts;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
    this.#sql = prepare(parts.db);
  }

  async cursorOf(path: string): Promise<string> {
    return this.#cursorOf(path);
  }

  #cursorOf(path: string): string {
    return this.#sql.cursor.get(path)?.cursor ?? FIRST_CURSOR;
  }

  async isBehind(path: string): Promise<boolean> {
    return this.#isBehind(path);
  }

  #isBehind(path: string): boolean {
    const row = this.#sql.cursor.get(path);
    // Of a path that was never read, as far as is known, nobody can say.
    return row ? row.is_behind === 1 : this.#sql.restored.get()?.id != null;
  }

  async waiting(): Promise<number> {
    return this.countWaiting();
  }

  /** The same, for a look. */
  countWaiting(): number {
    return unlessDamaged(
      () => this.#sql.waiting.get()?.n ?? 0,
      () => 0,
    );
  }

  take(page: OutboundPage, rules: OutboundRules): Promise<RecordedCommand[]> {
    return this.#parts.commit.run("outbox-taken", () => {
      if (this.#cursorOf(page.path) !== page.after) return [];
      const isBehind = this.#isBehind(page.path);
      const recorded = page.commands.map((one) => this.#takeOne(one, rules, isBehind));
      // Empty: what was there when a restore had lost the time has been seen.
      const isStillBehind = isBehind && page.commands.length > 0;
      this.#sql.write.run(page.path, page.cursor, isStillBehind ? 1 : 0);
      return recorded;
    });
  }

  #takeOne({ accountId, chatId, command }: OutboundFromAnswer, rules: OutboundRules, isBehind: boolean) {
    const { commands, counters, time, clock } = this.#parts;
    counters.add("outbound_taken", 1);
    if (accountId === null || chatId === null) return this.#refuseUnaddressed(accountId, chatId, command);
    const known = this.#sql.chat.get(accountId, chatId)?.chat;
    if (known !== undefined && commands.isRepeated(known, command))
      return { id: null, commandId: command.commandId, chat: known, outcome: "repeated" as const, reason: null };
    // What sends nothing needs no leave.
    const refusal = command.refusal || command.order ? null : this.#whyNot(accountId, known, rules);
    const isRefused = refusal !== null || command.refusal !== null;
    const chat = known ?? Number(this.#sql.insertChat.run(accountId, chatId).lastInsertRowid);
    const isKnown = command.order !== undefined || this.#hasWritten(chat, rules.knownMs) || this.#isBegun(chat);
    const outbound = isRefused ? "refused" : isKnown ? "known" : "new";
    // A blank is in no id of WhatsApp's.
    const { lastInsertRowid } = this.#sql.insert.run({
      ...{ chat, messageId: `outbox ${randomUUID()}`, now: clock.now(), since: time.now(), outbound },
    });
    const answered = { seq: Number(lastInsertRowid), chat, message_id: OUTBOX, maybeAnswered: isBehind };
    const judged: CommandFromResponse =
      refusal === null ? command : { ...command, refusal: { state: "failed", reason: refusal } };
    const [recorded] = commands.record(answered, [judged]);
    if (!recorded) throw new Error("a command of the outbox was not recorded");
    const { outcome } = recorded;
    if (outcome === "failed") counters.add("outbound_refused", 1);
    // As one whose id is another command's: nothing goes there, so no conversation is begun.
    if (outbound === "new" && (outcome === "failed" || outcome === "skipped")) this.#sql.notBegun.run(answered.seq);
    return recorded;
  }

  /** There is no chat that it could be a row of. */
  #refuseUnaddressed(accountId: string | null, chatId: string | null, command: CommandFromResponse): RecordedCommand {
    const { counters, failures, recorder, clock } = this.#parts;
    const reason = command.refusal?.reason ?? "it names no chat";
    counters.add("outbound_refused", 1);
    counters.add("commands_failed", 1);
    failures.note("command_failed", OUTBOX, reason);
    if (command.commandId !== null && accountId !== null)
      recorder.tell((key) => ({
        ...{ lane: 0, accountId },
        body: {
          ...{ report_id: key, command_id: command.commandId, message_id: null, chat_id: chatId },
          ...{ state: "failed", outcome: null, is_partial: false, whatsapp_message_id: null, reason },
          timestamp: new Date(clock.now()).toISOString(),
          transport_session_id: transportSessionId(accountId),
        },
      }));
    return { id: null, commandId: command.commandId, chat: 0, outcome: "failed", reason };
  }

  /** Why a chat is not written to; null: it is. */
  #whyNot(accountId: string, chat: number | undefined, rules: OutboundRules): string | null {
    return whyNot(rules, accountId, {
      hasWritten: chat !== undefined && this.#hasWritten(chat, rules.knownMs),
      isBegun: chat !== undefined && this.#isBegun(chat),
      begun: () => this.#sql.begun.get(this.#parts.time.now() - DAY_MS)?.n ?? 0,
    });
  }

  /** The shop has written to it first, within a day. */
  #isBegun(chat: number): boolean {
    return this.#sql.isBegun.get(this.#parts.time.now() - DAY_MS, chat) !== undefined;
  }

  /** One that waited for Hot Bags counts from its delivery. */
  #hasWritten(chat: number, withinMs: number): boolean {
    const since = this.#sql.lastWritten.get(chat)?.state_since;
    return since !== undefined && this.#parts.time.now() - since <= withinMs;
  }
}

function prepare(db: Database.Database) {
  return {
    cursor: db.prepare<[string], { cursor: string; is_behind: number }>(
      "SELECT cursor, is_behind FROM outbox_cursors WHERE path = ?",
    ),
    restored: db.prepare<[], { id: number | null }>("SELECT max(id) AS id FROM restores"),
    write: db.prepare<[string, string, number]>(
      `INSERT INTO outbox_cursors VALUES (?, ?, ?)
       ON CONFLICT (path) DO UPDATE SET cursor = excluded.cursor, is_behind = excluded.is_behind`,
    ),
    waiting: db.prepare<[], { n: number }>(
      `SELECT count(*) AS n FROM (SELECT 1 FROM commands k INDEXED BY commands_pending JOIN messages m USING (seq)
       WHERE k.state = 'pending' AND m.outbound IS NOT NULL LIMIT ${MAX_OUTBOUND_WAITING})`,
    ),
    chat: db.prepare<[string, string], { chat: number }>("SELECT chat FROM chats WHERE account_id = ? AND chat_id = ?"),
    insertChat: db.prepare<[string, string]>("INSERT INTO chats (account_id, chat_id) VALUES (?, ?)"),
    insert: db.prepare<[{ chat: number; messageId: string; now: number; since: number; outbound: string }]>(
      `INSERT INTO messages (chat, message_id, state, received_at, settled_at, state_since, outbound)
       VALUES (@chat, @messageId, 'delivered', @now, @now, @since, @outbound)`,
    ),
    notBegun: db.prepare<[number]>("UPDATE messages SET outbound = 'refused' WHERE seq = ?"),
    lastWritten: db.prepare<[number], { state_since: number }>(
      "SELECT state_since FROM messages INDEXED BY messages_chat WHERE chat = ? AND outbound IS NULL ORDER BY seq DESC LIMIT 1",
    ),
    begun: db.prepare<[number], { n: number }>(
      "SELECT count(*) AS n FROM messages INDEXED BY messages_begun WHERE outbound = 'new' AND state_since > ?",
    ),
    isBegun: db.prepare<[number, number], { chat: number }>(
      `SELECT chat FROM messages INDEXED BY messages_begun
       WHERE outbound = 'new' AND state_since > ? AND chat = ? LIMIT 1`,
    ),
  };
}
