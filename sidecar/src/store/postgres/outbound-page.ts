import { randomUUID } from "node:crypto";
import { type CommandFromResponse, hashOf, type RecordedCommand } from "../commands.ts";
import type { OutboundFromAnswer } from "../outbound.ts";
import { OUTBOX } from "../outbound.ts";
import { DAY_MS, type OutboundRules, whyNot } from "../outbound-rules.ts";
import { FLEET, lockOthers } from "./lease.ts";
import { skippingChats } from "./pauses.ts";
import { type IdOwner, named, ownersOf, record } from "./record.ts";
import { renderRefused } from "./reports.ts";
import type { Writing } from "./writing.ts";

/** A chat that commands of the page are for. */
interface Chat {
  accountId: string;
  chatId: string;
  /** Null: there is none yet. */
  number: number | null;
  hasWritten: boolean;
  isBegun: boolean;
}

/** A command that is to be written down, and what the message that stands for it is. */
interface Admitted {
  place: number;
  chat: Chat;
  command: CommandFromResponse;
  outbound: "known" | "new" | "refused";
}

interface PageParts {
  writing: Writing;
  rules: OutboundRules;
  /** What it gives may have been sent in the time that a restore has lost. */
  isBehind: boolean;
}

/**
 * One page of the outbox, on its way into the store. What was read before is kept up to date as its commands are written,
 * all in one go but for those that begin a conversation: whether the next one may begin another hangs on what became of it.
 */
export class Page {
  readonly #parts: PageParts;
  readonly #commands: readonly OutboundFromAnswer[];
  readonly #chats = new Map<string, Chat>();
  /** Conversations that were begun within a day, by account. */
  readonly #begun = new Map<string, number>();
  #owners = new Map<string, IdOwner>();
  /** Ids that a command of this page has taken. */
  readonly #given = new Map<string, { hash: string; chat: Chat }>();
  readonly #recorded: RecordedCommand[] = [];
  #admitted: Admitted[] = [];

  constructor(commands: readonly OutboundFromAnswer[], parts: PageParts) {
    this.#parts = parts;
    this.#commands = commands.map((one) => ({ ...one, command: named(one.command) }));
  }

  /** Writes them down. Returns what became of each. */
  async write(): Promise<RecordedCommand[]> {
    await this.#read();
    for (const [place, one] of this.#commands.entries()) {
      const chat = this.#chatOf(one);
      this.#parts.writing.count(chat?.accountId ?? FLEET, "outbound_taken", 1);
      if (!chat) this.#recorded[place] = this.#refuse(one);
      else if (this.#isRepeated(one.command, chat))
        this.#recorded[place] = {
          ...{ id: null, commandId: one.command.commandId, chat: chat.number ?? 0 },
          ...{ outcome: "repeated", reason: null },
        };
      else await this.#admit(place, chat, one.command);
    }
    await this.#writeAdmitted();
    return this.#recorded;
  }

  async #read(): Promise<void> {
    const { writing, rules } = this.#parts;
    const addresses = this.#commands.flatMap(({ accountId, chatId }) =>
      accountId === null || chatId === null ? [] : [{ accountId, chatId }],
    );
    if (addresses.length === 0) return;
    const accounts = await lockOthers(
      writing,
      addresses.map(({ accountId }) => accountId),
    );
    const ours = addresses.filter(({ accountId }) => accounts.has(accountId));
    const since = writing.provenNow - DAY_MS;
    const rows = await writing.rows<Chat & { begun: number }>(
      `SELECT g.account_id AS "accountId", g.chat_id AS "chatId", c.chat AS number,
         coalesce((SELECT state_since FROM messages m WHERE m.chat = c.chat AND m.outbound IS NULL ORDER BY seq DESC LIMIT 1) >= $3,
           false) AS "hasWritten",
         EXISTS (SELECT 1 FROM messages b WHERE b.account_id = g.account_id AND b.outbound = 'new' AND b.state_since > $4
           AND b.chat = c.chat) AS "isBegun",
         (SELECT count(*) FROM messages b WHERE b.account_id = g.account_id AND b.outbound = 'new' AND b.state_since > $4) AS begun
       FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS u (account_id, chat_id)) g
       LEFT JOIN chats c USING (account_id, chat_id)`,
      ours.map(({ accountId }) => accountId),
      ours.map(({ chatId }) => chatId),
      ...[writing.provenNow - Math.round(rules.knownMs), since],
    );
    for (const { begun, ...chat } of rows) {
      this.#chats.set(keyOf(chat), chat);
      this.#begun.set(chat.accountId, begun);
    }
    this.#owners = await ownersOf(
      writing,
      this.#commands.flatMap(({ command }) => command.commandId ?? []),
    );
  }

  /** Undefined where it names none that it could be a row of. */
  #chatOf({ accountId, chatId }: OutboundFromAnswer): Chat | undefined {
    return accountId === null || chatId === null ? undefined : this.#chats.get(keyOf({ accountId, chatId }));
  }

  #isRepeated({ commandId, payload }: CommandFromResponse, chat: Chat): boolean {
    if (commandId === null) return false;
    const [owner, given, hash] = [this.#owners.get(commandId), this.#given.get(commandId), hashOf(payload)];
    if (given) return given.hash === hash && given.chat === chat;
    return owner !== undefined && owner.payload_sha256 === hash && owner.chat === chat.number;
  }

  /** There is no chat that it could be a row of. What is reported of it is told by the fleet's owner. */
  #refuse({ accountId, chatId, command }: OutboundFromAnswer): RecordedCommand {
    const { writing } = this.#parts;
    const { commandId } = command;
    const why = accountId === null || chatId === null ? "it names no chat" : "OpenClaw has no such WhatsApp account";
    const reason = command.refusal?.reason ?? why;
    writing.count(FLEET, "outbound_refused", 1);
    writing.count(FLEET, "commands_failed", 1);
    writing.failed(FLEET, "command_failed", OUTBOX, reason);
    if (commandId !== null && accountId !== null)
      writing.tell(
        renderRefused({ command_id: commandId, account_id: accountId, chat_id: chatId, reason }, writing.now),
      );
    return { id: null, commandId, chat: 0, outcome: "failed", reason };
  }

  async #admit(place: number, chat: Chat, command: CommandFromResponse): Promise<void> {
    const { rules } = this.#parts;
    const begun = () => this.#begun.get(chat.accountId) ?? 0;
    // What sends nothing needs no leave.
    const refusal = command.refusal || command.order ? null : whyNot(rules, chat.accountId, { ...chat, begun });
    const isRefused = refusal !== null || command.refusal !== null;
    const isKnown = command.order !== undefined || chat.hasWritten || chat.isBegun;
    const outbound = isRefused ? "refused" : isKnown ? "known" : "new";
    const judged: CommandFromResponse =
      refusal === null ? command : { ...command, refusal: { state: "failed", reason: refusal } };
    this.#admitted.push({ place, chat, command: judged, outbound });
    const { commandId } = command;
    if (commandId !== null && !this.#owners.has(commandId) && !this.#given.has(commandId))
      this.#given.set(commandId, { hash: hashOf(command.payload), chat });
    if (outbound === "new") await this.#writeAdmitted();
  }

  async #writeAdmitted(): Promise<void> {
    const { writing, isBehind } = this.#parts;
    const admitted = this.#admitted;
    if (admitted.length === 0) return;
    this.#admitted = [];
    await makeChats(
      writing,
      admitted.map(({ chat }) => chat),
    );
    const chats = [...new Set(admitted.map(({ chat }) => chat.number ?? 0))];
    const skipping = await skippingChats(writing, chats);
    const seqs = await insertMessages(writing, admitted);
    const answers = admitted.map(({ chat, command }, n) => {
      const number = chat.number ?? 0;
      const of = { account_id: chat.accountId, chat: number, chat_id: chat.chatId, message_id: null };
      const answered = { seq: seqs[n] ?? 0, ...of, maybe_answered: isBehind, skips: skipping.has(number) };
      return { answered, commands: [command] };
    });
    const recorded = await record(writing, answers);
    const notBegun: number[] = [];
    for (const [n, { place, chat, outbound }] of admitted.entries()) {
      const [one] = recorded[n] ?? [];
      if (!one) throw new Error("a command of the outbox was not recorded");
      this.#recorded[place] = one;
      if (one.outcome === "failed") writing.count(chat.accountId, "outbound_refused", 1);
      if (outbound !== "new") continue;
      // As one whose id is another command's: nothing goes there, so no conversation is begun.
      if (one.outcome === "failed" || one.outcome === "skipped") notBegun.push(seqs[n] ?? 0);
      else {
        chat.isBegun = true;
        this.#begun.set(chat.accountId, (this.#begun.get(chat.accountId) ?? 0) + 1);
      }
    }
    if (notBegun.length > 0)
      await writing.rows("UPDATE messages SET outbound = 'refused' WHERE seq = ANY ($1)", notBegun);
  }
}

function keyOf({ accountId, chatId }: Pick<Chat, "accountId" | "chatId">): string {
  return `${accountId} ${chatId}`;
}

/** Gives those a number that have none. */
async function makeChats(writing: Writing, chats: readonly Chat[]): Promise<void> {
  const without = [...new Set(chats)].filter(({ number }) => number === null);
  if (without.length === 0) return;
  const made = await writing.rows<{ account_id: string; chat_id: string; chat: number }>(
    // A pause may have made it at this moment.
    `INSERT INTO chats (account_id, chat_id) SELECT * FROM unnest($1::text[], $2::text[])
     ON CONFLICT (account_id, chat_id) DO UPDATE SET chat_id = excluded.chat_id RETURNING account_id, chat_id, chat`,
    without.map(({ accountId }) => accountId),
    without.map(({ chatId }) => chatId),
  );
  const numbers = new Map(made.map((row) => [keyOf({ accountId: row.account_id, chatId: row.chat_id }), row.chat]));
  for (const chat of without) chat.number = numbers.get(keyOf(chat)) ?? null;
}

/** What stands for the message of each. Returns their numbers. */
async function insertMessages(writing: Writing, admitted: readonly Admitted[]): Promise<number[]> {
  // A blank is in no id of WhatsApp's.
  const ids = admitted.map(() => `${OUTBOX} ${randomUUID()}`);
  const rows = await writing.rows<{ seq: number; message_id: string }>(
    `INSERT INTO messages (account_id, chat, message_id, state, received_at, settled_at, state_since, outbound)
     SELECT account_id, chat, message_id, 'delivered', $5::bigint, $5::bigint, $6::bigint, outbound
     FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) WITH ORDINALITY AS g (account_id, chat, message_id, outbound, n)
     ORDER BY n RETURNING seq, message_id`,
    admitted.map(({ chat }) => chat.accountId),
    admitted.map(({ chat }) => chat.number),
    ids,
    admitted.map(({ outbound }) => outbound),
    ...[writing.now, writing.provenNow],
  );
  const seqs = new Map(rows.map(({ seq, message_id }) => [message_id, seq]));
  return ids.map((id) => seqs.get(id) ?? 0);
}
