import type { PauseReplies } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import type { By, ChatAddress, ChatOrder, Pause, PausedChat, PauseStore } from "../pauses.ts";
import type { Counters } from "./counters.ts";
import { unlessDamagedWithin } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { ProvenTime } from "./proven-time.ts";

/** One that ended is remembered for a while, ms: what it held waits since its end, not since it was given. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;

const SKIPPED = "its chat is paused, and replies are skipped meanwhile";

/** Looks at the pauses, also of a database that is no one's. */
export class PauseList {
  readonly #list: Database.Statement<[number], Omit<PausedChat, "leftMs"> & { until_at: number }>;

  constructor(db: Database.Database) {
    this.#list = db.prepare(
      `SELECT chat, account_id, chat_id, by, replies, until_at,
         (SELECT count(*) FROM commands k WHERE k.chat = p.chat AND k.state = 'pending') AS waiting
       FROM pauses p JOIN chats USING (chat) WHERE until_at > ? ORDER BY until_at`,
    );
  }

  /** Those that last at this proven time, the ones that end first before the others. */
  at(now: number): PausedChat[] {
    return this.#list.all(now).map(({ until_at, ...pause }) => ({ ...pause, leftMs: until_at - now }));
  }
}

/** See PauseStore. */
export class Pauses implements PauseStore {
  readonly #db: Database.Database;
  readonly #commit: GroupCommit;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #time: ProvenTime;
  readonly #list: PauseList;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, commit: GroupCommit, counters: Counters, clock: Clock, time: ProvenTime) {
    this.#db = db;
    this.#commit = commit;
    this.#counters = counters;
    this.#clock = clock;
    this.#time = time;
    this.#list = new PauseList(db);
    this.#sql = prepare(db);
  }

  pause({ accountId, chatId }: ChatAddress, pause: Pause): Promise<void> {
    return this.#commit.run("pause", () => {
      this.#sql.makeChat.run(accountId, chatId);
      const chat = this.#sql.chat.get(accountId, chatId)?.chat;
      if (chat !== undefined) this.#begin(chat, "operator", pause, 0);
    });
  }

  resume({ accountId, chatId }: ChatAddress): Promise<number | null> {
    return this.#commit.run("resume", () => {
      const now = this.#time.now();
      const chat = this.#sql.chat.get(accountId, chatId)?.chat;
      return chat !== undefined && this.#sql.endAll.run(now, chat, now).changes > 0 ? chat : null;
    });
  }

  /**
   * Does what Hot Bags orders in the command `id`; belongs inside the commit that records it. The replies before it
   * still go out: "a colleague will answer you", and then the pause. Returns what was done.
   */
  obey(chat: number, order: ChatOrder, id: number): string {
    if (order.kind === "pause") {
      this.#begin(chat, "hotbags", order, id);
      return `replies of the chat are paused for ${Math.round(order.forMs / 1_000)} s`;
    }
    const now = this.#time.now();
    return this.#sql.end.run(now, chat, "hotbags", now).changes > 0
      ? "replies of the chat go out again"
      : "the chat was not paused";
  }

  /** Why a reply that is given to the chat now is skipped; null when it is not. */
  skips(chat: number): string | null {
    return unlessDamagedWithin(
      this.#db,
      () => this.#sql.skips.get(chat, this.#time.now()),
      () => undefined,
    )
      ? SKIPPED
      : null;
  }

  /** Skips what waits in the chat and is held by a pause that skips; belongs inside a commit. */
  skipHeld(chat: number): void {
    const { changes } = this.#sql.skipHeld.run(this.#clock.now(), SKIPPED, chat, this.#time.now());
    if (changes === 0) return;
    this.#counters.add("commands_pending", -changes);
    this.#counters.add("commands_skipped", changes);
  }

  /** How long this reply of the chat is still held, ms; 0 when it may go. A pause that can't be read holds nothing. */
  leftMs(chat: number, command: number): number {
    const until = unlessDamagedWithin(
      this.#db,
      () => this.#sql.until.get(chat, command)?.until_at,
      () => undefined,
    );
    return Math.max(0, (until ?? 0) - this.#time.now());
  }

  async list(): Promise<PausedChat[]> {
    return this.#list.at(this.#time.now());
  }

  /** How many chats are paused. */
  get chats(): number {
    return this.#sql.chats.get(this.#time.now())?.n ?? 0;
  }

  /** Since when the reply waits, by the proven time, that was held and is free for the longest; null when there is none. */
  get freeSince(): number | null {
    return this.#sql.freeSince.get(this.#time.now())?.since ?? null;
  }

  #begin(chat: number, by: By, { forMs, replies }: Pause, afterCommand: number): void {
    const now = this.#time.now();
    this.#sql.forget.run(now - REMEMBERED_MS);
    // One that goes on holds what it held: an extension lets nothing out.
    this.#sql.begin.run({ chat, by, until: now + forMs, after: afterCommand, replies, now });
    this.skipHeld(chat);
  }
}

function prepare(db: Database.Database) {
  return {
    begin: db.prepare<[{ chat: number; by: By; until: number; after: number; replies: PauseReplies; now: number }]>(
      `INSERT INTO pauses VALUES (@chat, @by, @until, @after, @replies) ON CONFLICT DO UPDATE SET until_at = @until,
         after_command = CASE WHEN until_at > @now THEN min(after_command, @after) ELSE @after END, replies = @replies`,
    ),
    chat: db.prepare<[string, string], { chat: number }>("SELECT chat FROM chats WHERE account_id = ? AND chat_id = ?"),
    makeChat: db.prepare<[string, string]>("INSERT OR IGNORE INTO chats (account_id, chat_id) VALUES (?, ?)"),
    end: db.prepare<[number, number, By, number]>(
      "UPDATE pauses SET until_at = ? WHERE chat = ? AND by = ? AND until_at > ?",
    ),
    endAll: db.prepare<[number, number, number]>("UPDATE pauses SET until_at = ? WHERE chat = ? AND until_at > ?"),
    forget: db.prepare<[number]>("DELETE FROM pauses WHERE until_at < ?"),
    skips: db.prepare<[number, number], { by: By }>(
      "SELECT by FROM pauses WHERE chat = ? AND until_at > ? AND replies = 'skip' LIMIT 1",
    ),
    until: db.prepare<[number, number], { until_at: number | null }>(
      // `+?`: see messages.ts.
      "SELECT max(until_at) AS until_at FROM pauses WHERE chat = +? AND after_command < +?",
    ),
    skipHeld: db.prepare<[number, string, number, number]>(
      `UPDATE commands SET state = 'skipped', settled_at = ?, last_error = ? WHERE chat = ? AND state = 'pending'
         AND id > (SELECT min(after_command) FROM pauses p WHERE p.chat = commands.chat AND until_at > ? AND replies = 'skip')
         AND NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = commands.id)`,
    ),
    chats: db.prepare<[number], { n: number }>(
      "SELECT count(DISTINCT chat) AS n FROM pauses INDEXED BY pauses_until WHERE until_at > ?",
    ),
    freeSince: db.prepare<[number], { since: number | null }>(
      `SELECT min(since) AS since FROM (
         SELECT max(until_at, (SELECT state_since FROM messages m JOIN commands k USING (seq) WHERE m.outbound IS NULL AND k.id =
           (SELECT min(k.id) FROM commands k WHERE k.state = 'pending' AND k.chat = p.chat AND k.id > p.after_command))) AS since
         FROM (SELECT chat, max(until_at) AS until_at, min(after_command) AS after_command FROM pauses GROUP BY chat) p
         WHERE until_at <= ?)`,
    ),
  };
}
