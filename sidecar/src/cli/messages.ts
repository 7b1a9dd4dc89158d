import type { Message, RawInput, WholeMessage } from "../operator/schemas.ts";
import { MAX_IDS } from "../operator/schemas.ts";
import { commandColumns } from "./commands.ts";
import { confirm } from "./confirm.ts";
import type { Operator } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { collect, type Found, filterOf, type ListOptions, readSince, sayUnreadable } from "./list-options.ts";
import {
  type Cell,
  type Column,
  count,
  duration,
  type Output,
  say,
  shortTime,
  shownKey,
  writeFacts,
  writeJson,
  writeTable,
  writeText,
} from "./output.ts";

/** Which dead letters. */
export interface Choice {
  ids: string[];
  deadSince?: string | undefined;
  allDead?: boolean | undefined;
  /** Nobody is asked. */
  yes: boolean;
}

/** In an outage no attempt is counted, and a message has no error of its own: then, why it waits. */
function lastErrorOf({ state, last_error, waits_for }: Message): string | null {
  return state === "delivered" ? null : (last_error ?? waits_for ?? null);
}

const COLUMNS: Column<Message>[] = [
  { title: "id", cell: ({ id }) => id },
  { title: "state", cell: ({ state }) => state, spare: 4 },
  { title: "received", cell: ({ received_at }) => shortTime(received_at) },
  { title: "account", cell: ({ account_id }) => account_id, spare: 1 },
  { title: "chat", cell: ({ chat_id }) => shownKey(chat_id) },
  { title: "attempts", cell: ({ attempts }) => attempts, spare: 2 },
  { title: "message_id", cell: ({ message_id }) => shownKey(message_id), spare: 3 },
  { title: "last error", cell: lastErrorOf },
];

/** `hotbags messages list`. */
export async function listMessages(operator: Operator, options: ListOptions, output: Output): Promise<number> {
  const found = await allOf(operator, filterOf(options), options.limit);
  const { rows: messages } = found;
  if (output.json) writeJson(output, messages);
  else if (messages.length > 0) writeTable(output, COLUMNS, messages);
  else if (found.unreadable.length === 0) say(output, "There are none.");
  if (messages.length === options.limit) say(output, `These are the newest ${options.limit}; --limit shows more.`);
  if (!output.json && messages.some(({ state }) => state === "dead"))
    say(output, "What can be done with a dead letter: hotbags messages show <id>");
  return sayUnreadable(found, "message", output) ? EXIT.no : EXIT.ok;
}

/** `hotbags messages show`. */
export async function showMessage(operator: Operator, id: string, content: boolean, output: Output): Promise<number> {
  const number = await numberOfMessage(operator, id);
  const life = await operator.ask("message", { content: content ? "true" : "false" }, number);
  if (output.json) writeJson(output, life);
  else draw(life, content, output);
  return EXIT.ok;
}

/** `hotbags messages retry` and `discard`. */
export async function repairMessages(
  operator: Operator,
  what: "retry" | "discard",
  choice: Choice,
  output: Output,
): Promise<number> {
  const ids = await idsOf(operator, choice, output);
  if (ids.length === 0) {
    if (output.json) writeJson(output, []);
    else say(output, "There is no such dead letter.");
    return EXIT.ok;
  }
  const toBeDone = choice.ids.length === 0 ? ids.length : await countDead(operator, ids);
  const plan =
    what === "retry"
      ? `${count(toBeDone, "message")} will be POSTed to Hot Bags again, each with its own key, in its place.`
      : `The text and the files of ${count(toBeDone, "message")} will be deleted, and nobody can send them any more.`;
  // What can't be done is refused without a question, which would only frighten.
  if (toBeDone > (what === "discard" ? 0 : 1)) await confirm(plan, choice.yes, output);
  const results = [];
  for (let at = 0; at < ids.length; at += MAX_IDS) {
    const answer = await operator.ask(what, { ids: ids.slice(at, at + MAX_IDS) });
    results.push(...answer.results);
    if (ids.length > MAX_IDS) say(output, `${results.length} of ${ids.length}`);
  }
  const done = results.filter((result) => result.done);
  if (output.json) writeJson(output, results);
  for (const { id, reason } of results) if (reason !== null) say(output, `message ${id}: ${reason}`);
  const outcome = what === "retry" ? "sent to Hot Bags again" : "discarded";
  if (!output.json) say(output, `${done.length} of ${count(results.length, "dead letter")} ${outcome}.`);
  return done.length === results.length ? EXIT.ok : EXIT.no;
}

function allOf(operator: Operator, filter: RawInput<"messages">, limit: number): Promise<Found<Message>> {
  return collect(limit, async (page) => {
    const { messages: rows, ...rest } = await operator.ask("messages", { ...filter, ...page });
    return { rows, ...rest };
  });
}

/** How many of these are dead letters. */
async function countDead(operator: Operator, ids: number[]): Promise<number> {
  let dead = 0;
  for (const id of ids) {
    const found = await operator.ask("message", {}, id).catch(unlessRefused);
    if (found?.state === "dead") dead += 1;
  }
  return dead;
}

/** One that is not there, or can't be read, is told of where it is to be changed. */
function unlessRefused(error: unknown): null {
  if (error instanceof CliError && error.code === EXIT.no) return null;
  throw error;
}

/** Oldest first, as they will go. */
async function idsOf(operator: Operator, { ids, deadSince, allDead }: Choice, output: Output): Promise<number[]> {
  if (ids.length > 0) {
    if (deadSince !== undefined || allDead)
      throw new CliError(EXIT.usage, "ids, --dead-since or --all-dead: say one of them");
    const numbers: number[] = [];
    for (const id of ids) numbers.push(await numberOfMessage(operator, id));
    return numbers;
  }
  if (deadSince !== undefined && allDead) throw new CliError(EXIT.usage, "--dead-since or --all-dead: say one of them");
  if (deadSince === undefined && !allDead)
    throw new CliError(EXIT.usage, "which ones? Name their ids, or use --dead-since or --all-dead");
  const since = deadSince === undefined ? undefined : readSince(deadSince, Date.now());
  const found = await allOf(operator, { state: "dead", since }, Number.POSITIVE_INFINITY);
  sayUnreadable(found, "message", output);
  return found.rows.map(({ id }) => id).reverse();
}

/** `17`, as a list shows it, or the message's own id. Throws CliError. */
export async function numberOfMessage(operator: Operator, id: string): Promise<number> {
  if (/^\d{1,15}$/.test(id)) return Number(id);
  const { messages } = await operator.ask("messages", { message_id: id });
  const [first, ...others] = messages;
  if (!first) throw new CliError(EXIT.no, `there is no message ${JSON.stringify(id)}`);
  if (others.length === 0) return first.id;
  const numbers = messages.map((message) => message.id).join(", ");
  throw new CliError(EXIT.usage, `several chats had a message with that id; say which of ${numbers}`);
}

const ATTEMPT_COLUMNS: Column<WholeMessage["failed_attempts"][number]>[] = [
  { title: "attempt", cell: ({ attempt }) => attempt, spare: 2 },
  { title: "at", cell: ({ at }) => shortTime(at) },
  { title: "took", cell: ({ duration_ms }) => (duration_ms === null ? null : duration(duration_ms)), spare: 1 },
  { title: "status", cell: ({ status }) => status ?? "no answer" },
  { title: "error", cell: ({ error }) => error },
];

function draw(life: WholeMessage, content: boolean, output: Output): void {
  const { out } = output;
  const isSettled = life.settled_at !== null;
  const took = life.duration_ms === null ? "" : ` in ${duration(life.duration_ms)}`;
  writeFacts(output, [
    ["message", `${life.id} (message_id ${shownKey(life.message_id)})`],
    ["chat", `${shownKey(life.chat_id)} of account ${life.account_id}`],
    ["state", life.state],
    ["received", `${shortTime(life.received_at)}, and acknowledged to the plugin`],
    [
      "settled",
      isSettled ? `${shortTime(life.settled_at)}${took}${life.status === null ? "" : `, with ${life.status}`}` : null,
    ],
    ["waits for", life.waits_for ?? null],
    ["tried again", life.waits_until ? shortTime(life.waits_until) : null],
    ["next attempt", life.next_attempt_at === null || life.waits_until ? null : shortTime(life.next_attempt_at)],
    ["last error", life.last_error],
    ...life.retries.map(({ at, who }): [string, Cell] => ["sent again", `${shortTime(at)} by ${who}`]),
  ]);
  drawAttempts(life, output);
  out.write(life.commands.length === 0 ? "\nNo commands came back.\n" : "\nCommands that came back:\n");
  if (life.commands.length > 0) writeTable(output, commandColumns(false), life.commands);
  if (content) out.write(`\nPOSTed:\n${shown(life.request)}\n\nanswered:\n${shown(life.response)}\n`);
  else writeText(output, "\nWhat was said is shown with --content, which is noted in the audit.");
  if (life.state === "dead")
    writeText(
      output,
      `\nhotbags messages retry ${life.id}\n  Hot Bags gets it once more, with its own key and bytes: once that is mended which it failed by.\n` +
        `\nhotbags messages discard ${life.id}\n  Its text and files are deleted. Nobody will answer it, unless you do.`,
    );
}

/** Those that failed, and then the one that Hot Bags took. */
function drawAttempts(life: WholeMessage, output: Output): void {
  const { failed_attempts, failed_count, duration_ms, settled_at: at, status } = life;
  if (failed_count === 0) return;
  const kept = failed_attempts.length;
  const which = kept < failed_count ? `; the first 5 and the last ${kept - 5}` : "";
  const taken = life.state === "delivered" && at !== null;
  const then = taken ? ", then it was delivered" : "";
  writeText(output, `\n${count(failed_count, "attempt")} failed${which}${then}:`);
  const last = taken ? [{ attempt: failed_count + 1, at, duration_ms, status, error: null }] : [];
  writeTable(output, ATTEMPT_COLUMNS, [...failed_attempts, ...last]);
}

function shown(value: unknown): string {
  return value === null || value === undefined ? "forgotten, or not there yet" : JSON.stringify(value, null, 2);
}
