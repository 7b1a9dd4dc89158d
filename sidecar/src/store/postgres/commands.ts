import {
  answerTimes,
  type CommandStore,
  type DoubtfulCommand,
  type HandedOver,
  type NextCommand,
  type SettledState,
  type Settlement,
  type Told,
  type UnsettledState,
  type WaitingCommand,
} from "../commands.ts";
import { isDamage, RowUnreadableError } from "../errors.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import type { Ownership } from "./ownership.ts";
import type { ProvenTime } from "./proven-time.ts";
import { readRow } from "./read-row.ts";
import { RecentAccounts } from "./recent-accounts.ts";
import { ASKED_IN_VAIN, COMMAND_PASSED_OVER, NOT_SENT, PROVEN, REFUSED, SENDING, SETTLED } from "./send.ts";

interface CommandsParts {
  db: Queries;
  batches: Batches;
  time: ProvenTime;
  ownership: Pick<Ownership, "isFresh" | "isBeside" | "besideOurs">;
  /** Those that this sidecar owns: what is read of all chats is read of theirs. */
  accounts: () => readonly string[];
}

const commandWith = (
  more: string,
) => `SELECT k.id, k.seq, k.chat, k.command_id, CASE WHEN m.outbound IS NULL THEN m.message_id ELSE 'outbox' END AS message_id,
    c.account_id, c.chat_id, k.type, k.text, k.details, m.outbound, k.sending_at, k.sending_boot_ms, k.gateway_process,
    k.asked_process, k.alarmed_at${more}
  FROM commands k JOIN messages m USING (seq) JOIN chats c ON c.chat = k.chat`;
const COMMAND = commandWith("");

export const NOT_PASSED_OVER = "NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = commands.id)";
const IS_NEXT = `state = 'pending' AND ${NOT_PASSED_OVER}`;

/** Of a chat, `$1`, of an account that is ours, `$2`. */
const NEXT_ID = `SELECT id FROM commands WHERE chat = (SELECT chat FROM chats WHERE chat = $1 AND account_id = ANY ($2)) AND ${IS_NEXT} ORDER BY id LIMIT 1`;
const NEXT = `${commandWith(", k.file, CASE WHEN m.outbound IS NULL THEN m.settled_at END AS answered_at")} WHERE k.id = (${NEXT_ID})`;

/** Until when a command `n` is held, by the proven time. */
const PAUSED_UNTIL = "SELECT max(until_at) FROM pauses p WHERE p.chat = n.chat AND p.after_command < n.id";

/** The request of a command's message; of what is in the outbox, of the chat's last message. */
const REQUEST = `SELECT json_build_object('to', r -> 'raw' -> 'To', 'at', r -> 'timestamp') FROM payloads p, LATERAL (SELECT p.request::json AS r) AS q WHERE p.seq = CASE WHEN n.outbound IS NULL THEN n.seq ELSE
  (SELECT w.seq FROM messages w WHERE w.chat = n.chat AND w.seq < n.seq AND w.outbound IS NULL ORDER BY w.seq DESC LIMIT 1) END`;

/** `written`: to which of the shop's numbers, and when. */
type NextRow = DoubtfulCommand & {
  file: Buffer | null;
  answered_at: number | null;
  until: number | null;
  written: { to: unknown; at: unknown } | null;
};

/** More are not counted. */
const MAX_COUNTED = 1_000;

/**
 * The commands' side of the store, with the verbs of the embedded one: see there. Only the gateway that has an account can
 * send: what is to be sent, or asked about, is read and begun of the accounts that this sidecar stands beside.
 */
export class Commands implements CommandStore {
  readonly #parts: CommandsParts;
  readonly #recent = new RecentAccounts();

  constructor(parts: CommandsParts) {
    this.#parts = parts;
  }

  /** Chats with a command to send, oldest first; of one account, or of all that are ours and that we stand beside. */
  async waitingChats(account?: string): Promise<number[]> {
    const rows = await this.#rows<{ chat: number }>(
      `SELECT chat FROM commands WHERE account_id = ANY ($1) AND ${IS_NEXT} GROUP BY chat ORDER BY min(id)`,
      this.#accounts(account),
    );
    return rows.map(({ chat }) => chat);
  }

  /** The command that is next in a chat, with all that decides whether it goes. Rejects with RowUnreadableError. */
  async nextOf(chat: number): Promise<NextCommand | undefined> {
    const [row] = await readRow(
      "command",
      () => this.#next(chat),
      async () => (await this.#rows<{ id: number }>(NEXT_ID, chat, this.#parts.accounts()))[0]?.id,
    );
    if (!row || !this.#parts.ownership.isBeside(row.account_id)) return undefined;
    this.#recent.remember(row.id, row.account_id);
    const { file, until, written, answered_at: answeredAt, ...command } = row;
    const pausedMs = Math.max(0, (until ?? 0) - this.#parts.time.now());
    const times = answerTimes(command.outbound === null ? written?.at : null, answeredAt);
    const writtenTo = typeof written?.to === "string" ? written.to : null;
    return { ...waiting(command), pausedMs, writtenTo, times, file };
  }

  /** Commands that were being sent when the account's owner ended, by id; of which accounts: see waitingChats. */
  async interrupted(account?: string): Promise<number[]> {
    return await this.#ids(`state = 'sending' AND ${NOT_PASSED_OVER} ORDER BY id`, account);
  }

  /** Commands in doubt, by id, newest first. */
  async inDoubt(limit: number, account?: string): Promise<number[]> {
    return await this.#ids(`state = 'in_doubt' AND ${NOT_PASSED_OVER} ORDER BY id DESC LIMIT $2`, account, limit);
  }

  /** A command in doubt that a proof could still settle; undefined for any other. Rejects with RowUnreadableError. */
  async doubt(id: number): Promise<DoubtfulCommand | undefined> {
    return await this.#one<DoubtfulCommand>(
      `${COMMAND} WHERE k.id = $1 AND k.state = 'in_doubt' AND NOT k.partial`,
      id,
    );
  }

  /** WhatsApp's ids of the replies sent last. */
  async sentIds(limit: number, account?: string): Promise<string[]> {
    const rows = await this.#rows<{ whatsapp_message_id: string }>(
      `SELECT whatsapp_message_id FROM (SELECT id, whatsapp_message_id FROM commands WHERE account_id = ANY ($1)
         ORDER BY id DESC LIMIT $2) AS last WHERE whatsapp_message_id IS NOT NULL ORDER BY id DESC`,
      ...[this.#accounts(account), limit],
    );
    return rows.map((row) => row.whatsapp_message_id);
  }

  /** Any command that there is. Rejects with RowUnreadableError. */
  async get(id: number): Promise<WaitingCommand> {
    const row = await this.#one<DoubtfulCommand>(`${COMMAND} WHERE k.id = $1`, id);
    if (!row) throw new RowUnreadableError("command", id, undefined);
    return waiting(row);
  }

  /**
   * The bytes of the file that came with a command; null: none did, or they are forgotten. Rejects with
   * RowUnreadableError.
   */
  async fileOf(id: number): Promise<Buffer | null> {
    return (await this.#one<{ file: Buffer | null }>("SELECT file FROM commands WHERE id = $1", id))?.file ?? null;
  }

  /** How many commands this gateway process was handed since, ms since the machine started; counts to 1,000, no further. */
  async sendsSince(gatewayProcess: string, bootMs: number): Promise<number> {
    const [row] = await this.#rows<{ n: number }>(
      `SELECT count(*) AS n FROM (SELECT 1 FROM commands WHERE gateway_process = $1 AND sending_boot_ms >= $2 LIMIT ${MAX_COUNTED}) AS s`,
      ...[gatewayProcess, bootMs],
    );
    return row?.n ?? 0;
  }

  /** What was sent, or may have been, between these times by the wall clock, oldest first. */
  async sentBetween(from: number, to: number, account?: string): Promise<{ chat: number; at: number }[]> {
    return await this.#rows<{ chat: number; at: number }>(
      `SELECT chat, sending_at AS at FROM commands WHERE account_id = ANY ($1) AND sending_at BETWEEN $2 AND $3
         AND state IN ('sending', 'sent', 'queued_by_gateway', 'in_doubt') ORDER BY sending_at`,
      ...[this.#accounts(account), from, to],
    );
  }

  /**
   * The intent to send, committed before the gateway is asked. Resolves with what is written of it; with null where it
   * must not be sent: since it was read its chat was paused, which holds or skips it, or one before it is to be sent again,
   * or this sidecar does not stand beside its account. Where this process was stopped since
   * the commit, so that another sidecar may own the account by now, it must not be sent either: the command waits again if
   * the account is still ours, and FencedOffError is thrown if not.
   */
  async sending(id: number, gatewayProcess: string | null): Promise<HandedOver | null> {
    const { batches, ownership } = this.#parts;
    const intent = { id, gatewayProcess, beside: ownership.besideOurs };
    const written = await batches.run(SENDING, intent, this.#recent.of(id));
    if (written === null) return null;
    const { account, ...handed } = written;
    if (ownership.isFresh(account)) return handed;
    await this.notSent(id, { reason: "the lease of its account was over before it could be handed to the gateway" });
    return null;
  }

  /** It can't be sent, and that was known before the gateway was asked. */
  async refused(id: number, reason: string): Promise<void> {
    await this.#parts.batches.run(REFUSED, { id, reason }, this.#recent.of(id));
  }

  /** How the sending ended. Resolves with whether another one is next in its chat; true also where that can't be read. */
  async settled(id: number, state: SettledState, settlement: Settlement): Promise<boolean> {
    const chat = await this.#parts.batches.run(SETTLED, { id, state, settlement }, this.#recent.of(id));
    return chat === null || (await this.#hasNext(chat));
  }

  /** A command in doubt turned out to have gone. */
  async proven(id: number, state: "sent" | "queued_by_gateway", whatsappMessageId: string | null): Promise<void> {
    await this.#parts.batches.run(PROVEN, { id, state, whatsappMessageId });
  }

  /** A gateway process was asked about a command in doubt, and proved nothing. The operator has been told of it by now. */
  async askedInVain(id: number, gatewayProcess: string | null): Promise<void> {
    await this.#parts.batches.run(ASKED_IN_VAIN, { id, gatewayProcess });
  }

  /** At once: nothing is handed over here in the commit that records it. */
  async settledLater(id: number, state: SettledState, settlement: Settlement): Promise<void> {
    await this.settled(id, state, settlement);
  }

  /** A command that can't be read, or whose state can't be written. It is counted as `to`, and passed over. */
  async passOver(id: number, from: UnsettledState, to: SettledState): Promise<void> {
    await this.#parts.batches.run(COMMAND_PASSED_OVER, { id, from, to });
  }

  /** It is proven that nothing was sent: the command waits again, unless its chat was paused meanwhile in a way that skips it. */
  async notSent(id: number, told: Told): Promise<void> {
    await this.#parts.batches.run(NOT_SENT, { id, told }, this.#recent.of(id));
  }

  /**
   * How long the oldest command that waits has waited, since its message was answered or the pause of its chat ended,
   * ms, of each account that has one. What a pause holds does not wait for us, and for what is in the outbox no customer does.
   */
  async longestWaits(): Promise<Map<string, number>> {
    const { time, accounts } = this.#parts;
    const now = time.now();
    const rows = await this.#rows<{ account_id: string; since: number }>(
      `SELECT account_id, min(since) AS since FROM (
         SELECT of.account_id, k.state_since AS since FROM unnest($1::text[]) AS of (account_id) CROSS JOIN LATERAL (
           SELECT m.state_since FROM commands JOIN messages m USING (seq)
           WHERE commands.account_id = of.account_id AND commands.state = 'pending' AND ${NOT_PASSED_OVER} AND m.outbound IS NULL
             AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.chat = commands.chat AND commands.id > p.after_command)
           ORDER BY id LIMIT 1) k
         UNION ALL
         SELECT p.account_id, greatest(p.until_at, m.state_since)
         FROM (SELECT chat, c.account_id, max(until_at) AS until_at, min(after_command) AS after_command FROM pauses
               JOIN chats c USING (chat) WHERE c.account_id = ANY ($1) GROUP BY chat, c.account_id) p
         JOIN LATERAL (SELECT seq FROM commands k WHERE k.state = 'pending' AND k.chat = p.chat AND k.id > p.after_command
                       ORDER BY id LIMIT 1) k ON true
         JOIN messages m ON m.seq = k.seq AND m.outbound IS NULL WHERE p.until_at <= $2) AS waits
       GROUP BY account_id`,
      ...[accounts(), now],
    );
    return new Map(rows.map(({ account_id, since }) => [account_id, Math.max(0, now - since)]));
  }

  /**
   * How many in doubt are the operator's to resolve, because nobody else is asked about them any more, of each account that
   * has one; 1000 at most are counted.
   */
  async doubtsLeft(): Promise<Map<string, number>> {
    const rows = await this.#rows<{ account_id: string; n: number }>(
      `SELECT account_id, count(*) AS n FROM (SELECT account_id FROM commands WHERE account_id = ANY ($1) AND state = 'in_doubt'
         AND (alarmed_at IS NOT NULL OR partial) LIMIT ${MAX_COUNTED}) AS s GROUP BY account_id`,
      this.#parts.accounts(),
    );
    return new Map(rows.map(({ account_id, n }) => [account_id, n]));
  }

  async #next(chat: number): Promise<NextRow[]> {
    const some = (columns: string) =>
      this.#rows<NextRow>(`SELECT ${columns} FROM (${NEXT}) n`, chat, this.#parts.accounts());
    try {
      return await some(`n.*, (${PAUSED_UNTIL}) AS until, (${REQUEST}) AS written`);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
    // A page is damaged. Where that is not the command's own, what can't be read does not hold it.
    const rows = await some("n.*");
    const [paused] = await some(`(${PAUSED_UNTIL}) AS until`).catch(noneIfDamaged);
    const [request] = await some(`(${REQUEST}) AS written`).catch(noneIfDamaged);
    return rows.map((row) => ({ ...row, until: paused?.until ?? null, written: request?.written ?? null }));
  }

  /** It is settled: where no more can be read, that does not make it fail. */
  async #hasNext(chat: number): Promise<boolean> {
    try {
      return (await this.#rows(`SELECT id FROM commands WHERE chat = $1 AND ${IS_NEXT} LIMIT 1`, chat)).length > 0;
    } catch {
      return true;
    }
  }

  #rows<R extends object>(statement: string, ...values: readonly unknown[]): Promise<R[]> {
    return this.#parts.db.rows<R>(statement, ...values);
  }

  /** Of the command with this number. */
  async #one<R extends object>(statement: string, id: number): Promise<R | undefined> {
    const read = async () => (await this.#rows<R>(statement, id))[0];
    return await readRow("command", read, async () => id);
  }

  async #ids(which: string, account: string | undefined, ...values: readonly unknown[]): Promise<number[]> {
    const statement = `SELECT id FROM commands WHERE account_id = ANY ($1) AND ${which}`;
    const rows = await this.#rows<{ id: number }>(statement, this.#accounts(account), ...values);
    return rows.map(({ id }) => id);
  }

  /** Of which it can be sent: this one, or all. */
  #accounts(account: string | undefined): readonly string[] {
    const { besideOurs } = this.#parts.ownership;
    return account === undefined ? besideOurs : besideOurs.filter((ours) => ours === account);
  }
}

function waiting({ asked_process: _, alarmed_at: __, ...command }: DoubtfulCommand): WaitingCommand {
  return command;
}

function noneIfDamaged(error: unknown): [] {
  if (isDamage(error)) return [];
  throw error;
}
