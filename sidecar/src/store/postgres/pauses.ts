import type { ChatAddress, ChatOrder, Pause, PausedChat, PauseStore } from "../pauses.ts";
import type { Batches } from "./batches.ts";
import { movedRows } from "./command-changes.ts";
import type { Queries } from "./connection.ts";
import { FencedOffError } from "./lease.ts";
import type { ProvenTime } from "./proven-time.ts";
import { refuse, type Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

/** See `Pauses` of the embedded store. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;

export const SKIPPED = "its chat is paused, and replies are skipped meanwhile";

type By = "hotbags" | "operator";

interface PausesParts {
  db: Queries;
  batches: Batches;
  time: ProvenTime;
  accounts: () => readonly string[];
}

/** Pauses of chats, for whoever looks at them. */
export class PauseList {
  readonly #db: Queries;
  readonly #time: ProvenTime;
  readonly #accounts: () => readonly string[];

  constructor(db: Queries, time: ProvenTime, accounts: () => readonly string[]) {
    this.#db = db;
    this.#time = time;
    this.#accounts = accounts;
  }

  /** The pauses that last, the ones that end first before the others. */
  async list(): Promise<PausedChat[]> {
    const now = this.#time.now();
    const rows = await this.#db.rows<Omit<PausedChat, "leftMs"> & { until_at: number }>(
      `SELECT p.chat, c.account_id, c.chat_id, p.by, p.replies, p.until_at,
         (SELECT count(*) FROM commands k WHERE k.chat = p.chat AND k.state = 'pending') AS waiting
       FROM pauses p JOIN chats c USING (chat) WHERE p.until_at > $1 AND c.account_id = ANY ($2) ORDER BY p.until_at`,
      ...[now, this.#accounts()],
    );
    return rows.map(({ until_at, ...pause }) => ({ ...pause, leftMs: until_at - now }));
  }

  /** How many chats are paused. */
  async chats(): Promise<number> {
    return new Set((await this.list()).map(({ chat }) => chat)).size;
  }
}

/** The same, as in the embedded store: see there. */
export class Pauses extends PauseList implements PauseStore {
  readonly #parts: PausesParts;

  constructor(parts: PausesParts) {
    super(parts.db, parts.time, parts.accounts);
    this.#parts = parts;
  }

  /** The operator pauses a chat, also one in which nobody has written yet. In place of an earlier one of theirs. */
  async pause(address: ChatAddress, pause: Pause): Promise<void> {
    await this.#parts.batches.run(PAUSE, { address, pause });
  }

  /** The operator ends all pauses of a chat, Hot Bags' too. Resolves with the chat; null where there was none. */
  async resume(address: ChatAddress): Promise<number | null> {
    return await this.#parts.batches.run(RESUME, { address });
  }
}

/** Those of these chats in which a reply that is given now is skipped. */
export async function skippingChats(writing: Writing, chats: readonly number[]): Promise<Set<number>> {
  const rows = await writing.rows<{ chat: number }>(
    "SELECT DISTINCT chat FROM pauses WHERE chat = ANY ($1) AND until_at > $2 AND replies = 'skip'",
    ...[chats, writing.provenNow],
  );
  return new Set(rows.map(({ chat }) => chat));
}

/**
 * Does what Hot Bags orders in the command `id`. The replies before it still go out: "a colleague will answer you", and
 * then the pause. Returns what was done.
 */
export async function obey(writing: Writing, chat: number, order: ChatOrder, id: number): Promise<string> {
  if (order.kind === "pause") {
    await begin(writing, chat, "hotbags", order, id);
    return `replies of the chat are paused for ${Math.round(order.forMs / 1_000)} s`;
  }
  const ended = await writing.rows(
    "UPDATE pauses SET until_at = $1 WHERE chat = $2 AND by = 'hotbags' AND until_at > $1 RETURNING chat",
    ...[writing.provenNow, chat],
  );
  return ended.length > 0 ? "replies of the chat go out again" : "the chat was not paused";
}

/** Skips what waits in the chat and is held by a pause that skips. */
export async function skipHeld(writing: Writing, chat: number): Promise<void> {
  await movedRows(
    writing,
    `UPDATE commands SET state = 'skipped', settled_at = $3::bigint, last_error = $4 WHERE chat = $5 AND state = 'pending'
       AND id > (SELECT min(after_command) FROM pauses p WHERE p.chat = commands.chat AND until_at > $6 AND replies = 'skip')
       AND NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = commands.id)`,
    "pending",
    ...[writing.now, SKIPPED, chat, writing.provenNow],
  );
}

async function begin(writing: Writing, chat: number, by: By, pause: Pause, afterCommand: number): Promise<void> {
  const now = writing.provenNow;
  await writing.rows("DELETE FROM pauses WHERE until_at < $1 AND chat = $2", now - REMEMBERED_MS, chat);
  await writing.rows(
    // One that goes on holds what it held: an extension lets nothing out.
    `INSERT INTO pauses VALUES ($1, $2, $3, $4, $5) ON CONFLICT (chat, by) DO UPDATE SET until_at = excluded.until_at,
       after_command = CASE WHEN pauses.until_at > $6 THEN least(pauses.after_command, excluded.after_command)
         ELSE excluded.after_command END, replies = excluded.replies`,
    ...[chat, by, now + pause.forMs, afterCommand, pause.replies, now],
  );
  await skipHeld(writing, chat);
}

const keyOf = ({ address }: { address: ChatAddress }) => `chat ${address.accountId} ${address.chatId}`;

function mustOwn(writing: Writing, inputs: readonly { address: ChatAddress }[]): void {
  refuse(inputs, ({ address: { accountId } }) => (writing.owns(accountId) ? undefined : new FencedOffError(accountId)));
}

const PAUSE: Verb<{ address: ChatAddress; pause: Pause }, void> = {
  name: "pause",
  keyOf,
  async write(writing, inputs) {
    mustOwn(writing, inputs);
    for (const { address, pause } of inputs) {
      const [row] = await writing.rows<{ chat: number }>(
        `INSERT INTO chats (account_id, chat_id) VALUES ($1, $2)
         ON CONFLICT (account_id, chat_id) DO UPDATE SET chat_id = excluded.chat_id RETURNING chat`,
        ...[address.accountId, address.chatId],
      );
      if (row) await begin(writing, row.chat, "operator", pause, 0);
    }
    return inputs.map(() => undefined);
  },
};

const RESUME: Verb<{ address: ChatAddress }, number | null> = {
  name: "resume",
  keyOf,
  async write(writing, inputs) {
    mustOwn(writing, inputs);
    const chats: (number | null)[] = [];
    for (const { address } of inputs) {
      const [row] = await writing.rows<{ chat: number }>(
        `UPDATE pauses SET until_at = $1 FROM chats c WHERE c.chat = pauses.chat AND c.account_id = $2 AND c.chat_id = $3
           AND until_at > $1 RETURNING pauses.chat`,
        ...[writing.provenNow, address.accountId, address.chatId],
      );
      chats.push(row?.chat ?? null);
    }
    return chats;
  },
};
