import { storableText } from "@hotbags/shared";
import { type CommandFromResponse, hashOf, MAYBE_SENT, type RecordedCommand } from "../commands.ts";
import { OUTBOX } from "../outbound.ts";
import { obey, SKIPPED, skippingChats } from "./pauses.ts";
import type { Writing } from "./writing.ts";

/** The message whose answer has the commands. */
export interface AnsweredMessage {
  seq: number;
  account_id: string;
  chat: number;
  chat_id: string;
  /** Null: of the outbox. */
  message_id: string | null;
  /** It may have been answered in the time that a restore has lost. */
  maybe_answered: boolean;
  /** A pause lasts by which a reply that is given now is skipped. */
  skips: boolean;
}

/** One command of an answer, and its place in there. */
interface Given {
  answered: AnsweredMessage;
  position: number;
  command: CommandFromResponse;
  hash: string;
}

/** What becomes of a command as it is recorded. */
interface Judged extends Given {
  outcome: RecordedCommand["outcome"];
  reason: string | null;
  ownsId: boolean;
}

/** The command that has an id. */
export interface IdOwner {
  payload_sha256: string;
  chat: number;
}

const REUSED = "its command_id was already used for another command";

/** Writes the commands of answers, in the transaction that settles their messages. Of each answer, in its order. */
export async function record(
  writing: Writing,
  answers: readonly { answered: AnsweredMessage; commands: readonly CommandFromResponse[] }[],
): Promise<RecordedCommand[][]> {
  const given = answers.map(({ answered, commands }) =>
    commands.map((command, position) => ({
      answered,
      position,
      command: named(command),
      hash: hashOf(command.payload),
    })),
  );
  const recorded = new Map<Given, RecordedCommand>();
  for (const [n, part] of inParts(given.flat()).entries()) {
    const skipping = await skippingAt(writing, part, n === 0);
    for (const [one, outcome] of await recordPart(writing, part, skipping)) recorded.set(one, outcome);
    const last = part.at(-1);
    const done = last && recorded.get(last);
    // What it orders counts for what comes behind it.
    if (last?.command.order && done?.outcome === "done" && done.id !== null)
      done.reason = await obey(writing, last.answered.chat, last.command.order, done.id);
  }
  return given.map((commands) => commands.flatMap((one) => recorded.get(one) ?? []));
}

/** Its id as the database has it: it is compared with what comes from there. */
export function named(command: CommandFromResponse): CommandFromResponse {
  return command.commandId === null ? command : { ...command, commandId: storableText(command.commandId) };
}

/** Chats in which a reply is skipped; an order before it may have changed that. */
async function skippingAt(writing: Writing, part: readonly Given[], isFirst: boolean): Promise<Set<number>> {
  const answers = [...new Set(part.map(({ answered }) => answered))];
  if (isFirst) return new Set(answers.flatMap(({ chat, skips }) => (skips ? [chat] : [])));
  return await skippingChats(writing, [...new Set(answers.map(({ chat }) => chat))]);
}

/** Each ends with an order about its chat, or with the last command. */
function inParts(given: readonly Given[]): Given[][] {
  const parts: Given[][] = [[]];
  for (const one of given) {
    parts.at(-1)?.push(one);
    if (one.command.order) parts.push([]);
  }
  return parts.filter((part) => part.length > 0);
}

async function recordPart(
  writing: Writing,
  part: readonly Given[],
  skipping: ReadonlySet<number>,
): Promise<Map<Given, RecordedCommand>> {
  const forgotten = await ownersAmongForgotten(writing, idsOf(part));
  const owned = (one: Given) => (one.command.commandId === null ? undefined : forgotten.get(one.command.commandId));
  const free = part.filter((one) => owned(one) === undefined).map((one) => judge(one, skipping));
  const ids = await insert(writing, free);
  // The unique index has refused the others: their ids have an owner, be it one of this very answer.
  const taken = free.filter((one) => !ids.has(one));
  const owners = new Map([...forgotten, ...(await ownersAmongKnown(writing, idsOf(taken)))]);
  const rest = part.filter((one) => owned(one) !== undefined || taken.some((other) => isSame(one, other)));
  const recorded = new Map<Given, RecordedCommand>();
  const reused: Judged[] = [];
  for (const one of rest) {
    const { commandId } = one.command;
    const owner = owners.get(commandId ?? "");
    if (owner?.payload_sha256 === one.hash && owner.chat === one.answered.chat)
      recorded.set(one, { id: null, commandId, chat: one.answered.chat, outcome: "repeated", reason: null });
    else reused.push({ ...one, outcome: "failed", reason: REUSED, ownsId: false });
  }
  const reusedIds = await insert(writing, reused);
  for (const [judged, id] of [...ids, ...reusedIds]) {
    const one = part.find((given) => isSame(given, judged));
    if (one) recorded.set(one, recordedOf(judged, id));
    note(writing, judged, id);
  }
  for (const one of part) {
    const outcome = recorded.get(one)?.outcome;
    if (outcome && outcome !== "repeated") writing.count(one.answered.account_id, `commands_${outcome}`, 1);
  }
  return recorded;
}

function isSame(one: Given, other: Given): boolean {
  return one.answered.seq === other.answered.seq && one.position === other.position;
}

function judge(one: Given, skipping: ReadonlySet<number>): Judged {
  const { command, answered } = one;
  if (command.refusal) return { ...one, outcome: command.refusal.state, reason: command.refusal.reason, ownsId: true };
  if (command.order) return { ...one, outcome: "done", reason: null, ownsId: true };
  if (skipping.has(answered.chat)) return { ...one, outcome: "skipped", reason: SKIPPED, ownsId: true };
  if (answered.maybe_answered) return { ...one, outcome: "in_doubt", reason: MAYBE_SENT, ownsId: true };
  return { ...one, outcome: "pending", reason: null, ownsId: true };
}

function recordedOf({ command, answered, outcome, reason }: Judged, id: number): RecordedCommand {
  return { id, commandId: command.commandId, chat: answered.chat, outcome, reason };
}

/** Nothing of an order is sent. */
const stateOf = ({ outcome }: Judged) => (outcome === "done" ? "skipped" : outcome);

/** The numbers of those whose ids were free. */
async function insert(writing: Writing, commands: readonly Judged[]): Promise<Map<Judged, number>> {
  const ids = new Map<Judged, number>();
  if (commands.length === 0) return ids;
  const { now } = writing;
  const rows = await writing.rows<{ id: number; seq: number; position: number }>(
    `INSERT INTO commands (seq, account_id, chat, position, command_id, type, text, details, file, payload_sha256, state,
       owns_id, last_error, created_at, settled_at)
     SELECT seq, account_id, chat, position, command_id, type, text, details, file, hash, state, owns_id, error, $14::bigint,
       CASE WHEN state <> 'pending' THEN $14::bigint END
     FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
       $9::bytea[], $10::text[], $11::text[], $12::boolean[], $13::text[]) WITH ORDINALITY
       AS g (seq, account_id, chat, position, command_id, type, text, details, file, hash, state, owns_id, error, n)
     ORDER BY n ON CONFLICT (command_id) WHERE command_id IS NOT NULL AND owns_id DO NOTHING
     RETURNING id, seq, position`,
    commands.map(({ answered }) => answered.seq),
    commands.map(({ answered }) => answered.account_id),
    commands.map(({ answered }) => answered.chat),
    commands.map(({ position }) => position),
    commands.map(({ command }) => command.commandId),
    commands.map(({ command }) => command.type),
    commands.map(({ command }) => command.text),
    commands.map(({ command }) => command.details ?? null),
    commands.map(({ command }) => command.file ?? null),
    commands.map(({ hash }) => hash),
    commands.map(stateOf),
    commands.map(({ ownsId }) => ownsId),
    commands.map(({ reason }) => reason),
    now,
  );
  const byPlace = new Map(commands.map((one) => [`${one.answered.seq} ${one.position}`, one]));
  for (const { id, seq, position } of rows) {
    const one = byPlace.get(`${seq} ${position}`);
    if (one) ids.set(one, id);
  }
  return ids;
}

function note(writing: Writing, judged: Judged, id: number): void {
  const { answered, command, outcome, reason } = judged;
  const { seq, account_id, chat_id, message_id } = answered;
  writing.commandChanged({
    ...{ id, seq, account_id, chat_id, message_id, command_id: command.commandId, owns_id: judged.ownsId },
    ...{ from: null, to: stateOf(judged), whatsapp_message_id: null, partial: false, last_error: reason },
  });
  if (outcome === "failed") writing.failed(account_id, "command_failed", message_id ?? OUTBOX, reason ?? "");
}

/** The commands that have these ids, by the id as it was given; also those of somebody who was forgotten. */
export async function ownersOf(writing: Writing, ids: readonly string[]): Promise<Map<string, IdOwner>> {
  return new Map([...(await ownersAmongForgotten(writing, ids)), ...(await ownersAmongKnown(writing, ids))]);
}

async function ownersAmongKnown(writing: Writing, ids: readonly string[]): Promise<Map<string, IdOwner>> {
  return await readOwners(writing, ids, ids);
}

async function ownersAmongForgotten(writing: Writing, ids: readonly string[]): Promise<Map<string, IdOwner>> {
  const forgotten = ids.flatMap((id) => writing.forgotten(id) ?? []);
  return forgotten.length === 0 ? new Map() : await readOwners(writing, ids, forgotten);
}

/** `names`: what they have in the place of these ids. */
async function readOwners(
  writing: Writing,
  ids: readonly string[],
  names: readonly string[],
): Promise<Map<string, IdOwner>> {
  if (ids.length === 0) return new Map();
  const rows = await writing.rows<IdOwner & { given: string }>(
    `SELECT g.id AS given, k.payload_sha256, k.chat
     FROM unnest($1::text[], $2::text[]) AS g (id, name) JOIN commands k ON k.command_id = g.name AND k.owns_id`,
    ...[ids, names],
  );
  return new Map(rows.map((row) => [row.given, row]));
}

/** Their ids, of those that have one. */
function idsOf(commands: readonly Given[]): string[] {
  return commands.flatMap(({ command }) => command.commandId ?? []);
}
