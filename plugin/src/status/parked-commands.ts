import { userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { reasonOf } from "@hotbags/shared";
import { type Dealt, type Parked, ParkedMessages } from "../outbox/parked.ts";
import { localTime } from "./status-table.ts";

/** What a script can tell by, as with the command `hotbags`. */
const EXIT = { ok: 0, no: 1, usage: 2 } as const;

/** More than these are never waited for on a screen. */
const MAX_LISTED = 1_000;

export type ParkedOptions = {
  json?: boolean;
  /** Which ones: numbers, or WhatsApp's ids. */
  ids?: readonly string[];
  /** All there are. */
  all?: boolean;
  /** With what was said. */
  content?: boolean;
  /** Nobody is asked. */
  yes?: boolean;
};

/** Where a command writes. */
export type Terminal = { out(text: string): void; err(text: string): void };

/** Ends a command with a sentence for the operator. */
class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** `openclaw hotbags parked …` and `openclaw hotbags audit`, on this state folder, whether its gateway runs or not. */
export const PARKED_COMMANDS = { list, show, retry: dealer("retry"), discard: dealer("discard"), audit } as const;

/** Runs one of them. Resolves with the exit code; never rejects. */
export async function runParked(
  name: keyof typeof PARKED_COMMANDS,
  stateDir: string,
  options: ParkedOptions,
  terminal: Terminal = { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
): Promise<number> {
  let parked: ParkedMessages | undefined;
  try {
    parked = ParkedMessages.open(join(stateDir, "hotbags", "outbox.sqlite"));
    if (!parked) throw new Refusal(EXIT.no, `there is no outbox in ${stateDir} yet`);
    return await PARKED_COMMANDS[name](parked, options, terminal);
  } catch (error) {
    const [code, message] = error instanceof Refusal ? [error.code, error.message] : [EXIT.no, reasonOf(error)];
    if (options.json) terminal.out(`${JSON.stringify({ error: message })}\n`);
    terminal.err(`hotbags: ${message}\n`);
    return code;
  } finally {
    parked?.close();
  }
}

async function list(parked: ParkedMessages, { json }: ParkedOptions, { out, err }: Terminal): Promise<number> {
  const found = parked.list(MAX_LISTED);
  if (json) out(`${JSON.stringify(found, null, 2)}\n`);
  else if (found.length === 0) err("No message is parked.\n");
  else {
    const row = (...cells: string[]) =>
      out(
        `${cells
          .map((cell, n) => cell.padEnd(WIDTHS[n] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
      );
    row("id", "parked", "chat", "message_id");
    for (const { id, parked_at, chat, message_id, reason } of found) {
      row(String(id), localTime(parked_at).slice(0, 19), chat, message_id);
      out(`${" ".repeat((WIDTHS[0] ?? 0) + 2)}${reason}\n`);
    }
  }
  return EXIT.ok;
}

/** Of the columns, but for the last. */
const WIDTHS = [4, 19, 12];

async function show(parked: ParkedMessages, options: ParkedOptions, { out }: Terminal): Promise<number> {
  const { json, content, ids = [] } = options;
  const [id = ""] = ids;
  const found = one(parked, id);
  const said = content ? parked.content(found.id, whoAmI()) : undefined;
  if (json) {
    out(`${JSON.stringify({ ...found, ...(said && { chat: said.chat, content: said.captured }) }, null, 2)}\n`);
    return EXIT.ok;
  }
  const facts: [string, string][] = [
    ["message", `${found.id} (message_id ${found.message_id})`],
    ["chat", `${said?.chat ?? found.chat} of account ${found.account}`],
    ["captured", localTime(found.captured_at)],
    ["parked", `${localTime(found.parked_at)}, ${found.code}: ${found.reason}`],
  ];
  for (const [name, fact] of facts) out(`${name.padEnd(10)}${fact}\n`);
  if (said) out(`\n${JSON.stringify(said.captured, null, 2)}\n`);
  else out("\nWhat was said is shown with --content, which is noted in the audit.\n");
  out(
    `\nopenclaw hotbags parked retry ${found.id}\n  The sidecar gets it once more, once that is mended which it was refused for.\n` +
      `\nopenclaw hotbags parked discard ${found.id}\n  Its text and files are deleted. Nobody will answer it, unless you do.\n`,
  );
  return EXIT.ok;
}

function dealer(what: "retry" | "discard") {
  return async (parked: ParkedMessages, options: ParkedOptions, { out, err }: Terminal): Promise<number> => {
    const { json, yes } = options;
    const chosen = choose(parked, options);
    const plan =
      what === "retry"
        ? `${messages(chosen)} will be sent to the sidecar again.`
        : `The text and the files of ${messages(chosen)} will be deleted, and nobody can send them any more.`;
    if (!yes && (what === "discard" || chosen.length > 1)) await confirm(plan);
    const who = whoAmI();
    const results: Dealt[] = chosen.map(({ id }) => parked[what](id, who));
    const done = results.filter((result) => result.done);
    if (json) out(`${JSON.stringify(results, null, 2)}\n`);
    else {
      for (const { id, reason } of results) if (reason !== null) err(`message ${id}: ${reason}\n`);
      const how = what === "retry" ? "waits for the sidecar again" : "discarded";
      err(`${done.length} of ${messages(chosen)}: ${how}.\n`);
    }
    return done.length === results.length ? EXIT.ok : EXIT.no;
  };
}

async function audit(parked: ParkedMessages, { json }: ParkedOptions, { out, err }: Terminal): Promise<number> {
  const entries = parked.audit(MAX_LISTED);
  if (json) out(`${JSON.stringify(entries, null, 2)}\n`);
  else if (entries.length === 0) err("Nobody has done anything yet.\n");
  for (const { at, who, action, message_id, chat, result } of json ? [] : entries)
    out(`${localTime(at)}  ${who}  ${action}  ${message_id} of ${chat}  ${result}\n`);
  return EXIT.ok;
}

/** The oldest first: they are sent in that order. Throws Refusal. */
function choose(parked: ParkedMessages, { ids = [], all = false }: ParkedOptions): Parked[] {
  if (all === ids.length > 0) throw new Refusal(EXIT.usage, "which ones? Name their ids, or say --all");
  return all ? parked.list(Number.MAX_SAFE_INTEGER).reverse() : ids.map((id) => one(parked, id));
}

function one(parked: ParkedMessages, id: string): Parked {
  const [found, ...others] = parked.find(id);
  if (!found) throw new Refusal(EXIT.no, `there is no parked message ${JSON.stringify(id)}`);
  if (others.length === 0) return found;
  const numbers = [found, ...others].map((message) => message.id).join(", ");
  throw new Refusal(EXIT.usage, `several chats had a message with that id; say which of ${numbers}`);
}

function messages({ length }: readonly Parked[]): string {
  return length === 1 ? "1 message" : `${length} messages`;
}

async function confirm(plan: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new Refusal(EXIT.usage, `${plan} Nothing was done: say --yes where nobody can be asked`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${plan}\nDo it? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new Refusal(EXIT.no, "nothing was done");
  } finally {
    prompt.close();
  }
}

/** Who is at the keyboard, behind sudo too. */
function whoAmI(): string {
  const { username } = userInfo();
  const behind = process.env["SUDO_USER"];
  return behind ? `${behind} (as ${username})` : username;
}
