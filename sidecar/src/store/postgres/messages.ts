import type { InboundMessage } from "@hotbags/shared";
import type { CommandFromResponse, RecordedCommand } from "../commands.ts";
import { DAMAGED, isDamage } from "../errors.ts";
import type { Files } from "../files.ts";
import { type InlinedFile, lacksFile, layOut } from "../lay-out.ts";
import type { Accepted, AttemptRow, FailedAttempt, LaneHead, MessageStore, PendingMessage } from "../messages.ts";
import { acceptVerb, type Incoming } from "./accept.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { FILES_LEFT_OUT, FILES_LOST } from "./files-out.ts";
import { DETACHED, IN_LANE, PENDING, type PendingRow, pendingOf, WAITING } from "./message-rows.ts";
import type { Ownership } from "./ownership.ts";
import type { ProvenTime } from "./proven-time.ts";
import { readRow } from "./read-row.ts";
import { RecentAccounts } from "./recent-accounts.ts";
import { DEAD, DELIVERED, FAILED, PASSED_OVER } from "./settle.ts";
import type { Verb } from "./verb.ts";

/** A chat, `$1`, of an account that is ours, `$2`: the lane of one that was lost finds nothing more. */
const OUR_CHAT = "chat = (SELECT chat FROM chats WHERE chat = $1 AND account_id = ANY ($2))";

interface MessagesParts {
  db: Queries;
  batches: Batches;
  time: ProvenTime;
  files: Pick<Files, "sizeOf">;
  ownership: Pick<Ownership, "came">;
  /** The files of one message that are sent along, bytes before base64. */
  inlineBytes: () => number;
  /** Those that this sidecar owns: what is read of all chats is read of theirs. */
  accounts: () => readonly string[];
}

/** The messages' side of the store, with the verbs of the embedded one: see there. */
export class Messages implements MessageStore {
  readonly handsOver = false;
  readonly #parts: MessagesParts;
  readonly #accept: Verb<Incoming, Accepted>;
  readonly #recent = new RecentAccounts();

  constructor(parts: MessagesParts) {
    this.#parts = parts;
    this.#accept = acceptVerb((message) => lacksFile(message, parts.files));
  }

  /**
   * Takes a message into the store. Resolves when it is committed; only then may it be acked. Of an account that is not ours
   * it is refused, and the account is asked for, so that it can be taken in when it comes again.
   */
  async accept(message: InboundMessage): Promise<Accepted> {
    const { files, inlineBytes, batches, ownership } = this.#parts;
    ownership.came(message.account_id);
    const laidOut = layOut(message, files, inlineBytes());
    const { account_id: account, chat_id } = message;
    const bytes = laidOut?.request.length ?? 0;
    return await batches.run(this.#accept, { message, laidOut }, { order: `${account} ${chat_id}`, bytes, account });
  }

  /** When the last message came, and how long ago that was by the proven time, ms; null: none is known. */
  async lastAccepted(): Promise<{ at: number; agoMs: number } | null> {
    const [row] = await this.#parts.db.rows<{ received_at: number; state_since: number }>(
      `SELECT m.received_at, m.state_since FROM unnest($1::text[]) AS of (account_id)
       CROSS JOIN LATERAL (SELECT seq, received_at, state_since FROM messages l WHERE l.account_id = of.account_id
         AND outbound IS NULL ORDER BY seq DESC LIMIT 1) m ORDER BY m.seq DESC LIMIT 1`,
      this.#parts.accounts(),
    );
    return row ? { at: row.received_at, agoMs: Math.max(0, this.#parts.time.now() - row.state_since) } : null;
  }

  /** How long ago Hot Bags took a message last, ms; null: none is known. */
  async lastDeliveredAgoMs(): Promise<number | null> {
    const [row] = await this.#parts.db.rows<{ at: number | null }>(
      `SELECT max(m.at) AS at FROM unnest($1::text[]) AS of (account_id) CROSS JOIN (VALUES (false), (true)) AS text (has)
       CROSS JOIN LATERAL (SELECT state_since AS at FROM messages l WHERE l.account_id = of.account_id AND state = 'delivered'
         AND has_text = text.has AND outbound IS NULL ORDER BY state_since DESC LIMIT 1) m`,
      this.#parts.accounts(),
    );
    return row?.at == null ? null : Math.max(0, this.#parts.time.now() - row.at);
  }

  /** When the first message of each lane that has one is due; of one account, or of all that are ours. */
  async laneHeads(account?: string): Promise<LaneHead[]> {
    return await this.#parts.db.rows<LaneHead>(
      `SELECT chat, next_attempt_at FROM messages WHERE seq IN
         (SELECT min(seq) FROM messages WHERE account_id = ANY ($1) AND ${IN_LANE} GROUP BY chat) ORDER BY seq`,
      this.#accounts(account),
    );
  }

  /** The same of the detached messages of each chat that has any. */
  async detachedHeads(account?: string): Promise<LaneHead[]> {
    return await this.#parts.db.rows<LaneHead>(
      `SELECT chat, min(next_attempt_at) AS next_attempt_at FROM messages WHERE account_id = ANY ($1) AND ${DETACHED}
       GROUP BY chat ORDER BY chat`,
      this.#accounts(account),
    );
  }

  /** The message that is next in a chat's lane. Rejects with RowUnreadableError. */
  async headOf(chat: number): Promise<PendingMessage | undefined> {
    return await this.#pending(`SELECT seq FROM messages WHERE ${OUR_CHAT} AND ${IN_LANE} ORDER BY seq LIMIT 1`, chat);
  }

  /** The number of the message that is next in a chat's lane; undefined: there is none. */
  async headSeqOf(chat: number): Promise<number | undefined> {
    const [row] = await this.#parts.db.rows<{ seq: number }>(
      `SELECT seq FROM messages WHERE ${OUR_CHAT} AND ${IN_LANE} ORDER BY seq LIMIT 1`,
      ...[chat, this.#parts.accounts()],
    );
    return row?.seq;
  }

  /** The message that comes after this one in a chat's lane. Rejects with RowUnreadableError. */
  async behind(chat: number, seq: number): Promise<PendingMessage | undefined> {
    const next = `SELECT seq FROM messages WHERE ${OUR_CHAT} AND seq > $3 AND ${IN_LANE} ORDER BY seq LIMIT 1`;
    return await this.#pending(next, chat, seq);
  }

  /** When the first of a chat's detached messages is due, ms of proven time; undefined when there is none. */
  async detachedDueOf(chat: number): Promise<number | undefined> {
    const [row] = await this.#parts.db.rows<{ at: number }>(
      `SELECT next_attempt_at AS at FROM messages WHERE ${OUR_CHAT} AND ${DETACHED} ORDER BY next_attempt_at, seq LIMIT 1`,
      ...[chat, this.#parts.accounts()],
    );
    return row?.at;
  }

  /** The one of a chat's detached messages that is due first. Rejects with RowUnreadableError. */
  async firstDetachedOf(chat: number): Promise<PendingMessage | undefined> {
    const first = `SELECT seq FROM messages WHERE ${OUR_CHAT} AND ${DETACHED} ORDER BY next_attempt_at, seq LIMIT 1`;
    return await this.#pending(first, chat);
  }

  /**
   * Files that went along with a message can't be read any more: from now on its body says so instead. Resolves with the
   * message as it is then, once that is committed. Only this and `leaveFilesOut` change a body.
   */
  async filesLost(message: PendingMessage, lost: readonly InlinedFile[]): Promise<PendingMessage> {
    const bytes = message.request.length;
    return await this.#parts.batches.run(FILES_LOST, { message, files: lost }, { bytes });
  }

  /** Hot Bags takes no body of this size: the same for all files, which are kept. */
  async leaveFilesOut(message: PendingMessage): Promise<PendingMessage> {
    const bytes = message.request.length;
    return await this.#parts.batches.run(FILES_LEFT_OUT, { message, files: message.inlined }, { bytes });
  }

  /** Hot Bags answered with 2xx: the response, `delivered`, the commands and what follows, in one transaction. */
  async delivered(
    seq: number,
    status: number,
    response: string,
    commands: CommandFromResponse[],
    durationMs?: number,
  ): Promise<RecordedCommand[]> {
    const bytes = commands.reduce((sum, { file }) => sum + (file?.length ?? 0), response.length);
    return await this.#parts.batches.run(
      DELIVERED,
      { seq, status, response, commands, durationMs },
      { bytes, ...this.#recent.of(seq) },
    );
  }

  /** An attempt failed and another one will follow. Resolves with whether the message left its chat's lane by it. */
  async failed(seq: number, attempt: FailedAttempt): Promise<boolean> {
    return await this.#parts.batches.run(FAILED, { seq, ...attempt }, this.#recent.of(seq));
  }

  /** The last attempt failed: the message waits for the operator. */
  async dead(seq: number, status: number | null, error: string, durationMs?: number): Promise<void> {
    await this.#parts.batches.run(DEAD, { seq, status, error, durationMs }, this.#recent.of(seq));
  }

  /** What is kept of the attempts of a message that failed, in order. */
  async attemptsOf(seq: number): Promise<AttemptRow[]> {
    return await this.#parts.db.rows<AttemptRow>(
      "SELECT attempt, at, duration_ms, status, error FROM attempts WHERE seq = $1 ORDER BY attempt",
      seq,
    );
  }

  /** A message that can't be read, or whose outcome can't be written. It becomes a dead letter, or is passed over as one. */
  async giveUp(seq: number, wasDetached: boolean): Promise<void> {
    try {
      await this.dead(seq, null, DAMAGED);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#parts.batches.run(PASSED_OVER, { seq, wasDetached });
    }
  }

  /** The same for one that Hot Bags has answered: its commands are recorded, as `delivered` would have done. */
  async giveUpDelivered(
    { seq }: PendingMessage,
    wasDetached: boolean,
    commands: CommandFromResponse[],
  ): Promise<RecordedCommand[]> {
    return await this.#parts.batches.run(PASSED_OVER, { seq, wasDetached, commands });
  }

  /** How long the oldest message that waits has waited, ms, of each account that has one. */
  async longestWaits(): Promise<Map<string, number>> {
    const { db, time, accounts } = this.#parts;
    const rows = await db.rows<{ account_id: string; since: number }>(
      `SELECT of.account_id, m.state_since AS since FROM unnest($1::text[]) AS of (account_id)
       CROSS JOIN LATERAL (SELECT state_since FROM messages WHERE messages.account_id = of.account_id AND ${WAITING}
         ORDER BY seq LIMIT 1) m`,
      accounts(),
    );
    return new Map(rows.map(({ account_id, since }) => [account_id, Math.max(0, time.now() - since)]));
  }

  async #pending(which: string, chat: number, ...more: readonly unknown[]): Promise<PendingMessage | undefined> {
    const { db, accounts } = this.#parts;
    const values = [chat, accounts(), ...more];
    const found = await readRow(
      "message",
      async () => pendingOf((await db.rows<PendingRow>(`${PENDING} WHERE m.seq = (${which})`, ...values))[0]),
      async () => (await db.rows<{ seq: number }>(which, ...values))[0]?.seq,
    );
    if (found) this.#recent.remember(found.seq, found.account_id);
    return found;
  }

  #accounts(account: string | undefined): readonly string[] {
    return account === undefined ? this.#parts.accounts() : [account];
  }
}
