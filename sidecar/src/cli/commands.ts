import type { Command, RepairResult } from "../operator/schemas.ts";
import { confirm } from "./confirm.ts";
import type { Operator } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { collect, filterOf, type ListOptions, sayUnreadable } from "./list-options.ts";
import {
  type Column,
  count,
  type Output,
  plain,
  say,
  shortTime,
  shownKey,
  writeFacts,
  writeJson,
  writeTable,
  writeText,
} from "./output.ts";

/** Before an id of Hot Bags' that looks like a number of ours. */
const OF_HOT_BAGS = "command_id:";

export type Resolution = "sent" | "resend" | "discard";

/** What each resolution does, and what it risks. */
const RISKS: Record<Resolution, string> = {
  sent: "It counts as sent. If the customer did not get it, nobody will ever send it.",
  resend: "It is sent once more. If the customer got it already, it comes twice: look at the chat on the phone first.",
  discard: "It counts as failed, and is never sent. If the customer did not get it, nobody answers.",
};

export function commandColumns(withChat: boolean): Column<Command>[] {
  const chat: Column<Command>[] = [
    { title: "account", cell: ({ account_id }) => account_id, spare: 1 },
    { title: "chat", cell: ({ chat_id }) => shownKey(chat_id) },
    { title: "message", cell: ({ message }) => message, spare: 4 },
  ];
  return [
    { title: "id", cell: ({ id }) => id },
    { title: "state", cell: ({ state }) => state },
    { title: "type", cell: ({ type }) => type, spare: 2 },
    { title: "came back", cell: ({ created_at }) => shortTime(created_at), spare: 5 },
    { title: "handed over", cell: ({ sending_at }) => shortTime(sending_at), spare: 3 },
    ...(withChat ? chat : []),
    { title: "command_id", cell: ({ command_id }) => shownKey(command_id), spare: 6 },
    { title: "reason", cell: ({ reason, is_partial }) => (is_partial ? `only a part was sent; ${reason}` : reason) },
  ];
}

/** `hotbags commands list`. */
export async function listCommands(operator: Operator, options: ListOptions, output: Output): Promise<number> {
  const filter = filterOf(options);
  const found = await collect(options.limit, async (page) => {
    const { commands: rows, ...rest } = await operator.ask("commands", { ...filter, ...page });
    return { rows, ...rest };
  });
  const { rows: commands } = found;
  if (output.json) writeJson(output, commands);
  else if (commands.length > 0) writeTable(output, commandColumns(true), commands);
  else if (found.unreadable.length === 0) say(output, "There are none.");
  if (commands.length === options.limit) say(output, `These are the newest ${options.limit}; --limit shows more.`);
  if (!output.json && commands.some(({ state }) => state === "in_doubt"))
    say(output, "What can be done with one in doubt: hotbags commands show <id>");
  return sayUnreadable(found, "command", output) ? EXIT.no : EXIT.ok;
}

/** `hotbags commands show`. */
export async function showCommand(operator: Operator, id: string, content: boolean, output: Output): Promise<number> {
  const found = await operator.ask("command", { content: content ? "true" : "false" }, await numberOf(operator, id));
  if (output.json) {
    writeJson(output, found);
    return EXIT.ok;
  }
  writeFacts(output, [
    ["command", `${found.id} (command_id ${shownKey(found.command_id) ?? "none that could be read"})`],
    ["type", found.type],
    ["for", `message ${found.message} (message_id ${shownKey(found.message_id)})`],
    ["chat", `${shownKey(found.chat_id)} of account ${found.account_id}`],
    ["state", found.state],
    ["waits for", found.waits_for ?? null],
    ["came back", shortTime(found.created_at)],
    ["handed over", found.sending_at === null ? null : shortTime(found.sending_at)],
    ["settled", found.settled_at === null ? null : shortTime(found.settled_at)],
    ["WhatsApp's id", found.whatsapp_message_id],
    ["reason", found.reason],
    ["OpenClaw said", found.said],
  ]);
  if (found.state === "in_doubt")
    for (const [as, risk] of Object.entries(RISKS))
      writeText(output, `\nhotbags commands resolve "#${found.id}" --${as}\n  ${risk}`);
  if (!content) writeText(output, "\nIts text is shown with --content, which is noted in the audit.");
  else if (found.text == null) writeText(output, `\n${noText(found)}`);
  else {
    output.out.write(`\n${found.text.split("\n").map(plain).join("\n")}\n`);
    if (found.details != null) writeText(output, `\nwith ${plain(JSON.stringify(found.details))}`);
    if (found.file_bytes != null) writeText(output, `and a file of ${count(found.file_bytes, "byte")}`);
  }
  return EXIT.ok;
}

function noText({ state, message }: { state: string; message: number }): string {
  if (state !== "refused") return "Its text is forgotten.";
  return `It has none that could be read. What Hot Bags answered: hotbags messages show ${message} --content`;
}

/** Which commands in doubt. */
export interface DoubtChoice {
  ids: string[];
  all: boolean;
  chat?: string | undefined;
  since?: string | undefined;
  /** Only shows what would be done. */
  dryRun: boolean;
  /** Nobody is asked. */
  yes: boolean;
}

/** `hotbags commands resolve`. */
export async function resolveCommands(
  operator: Operator,
  choice: DoubtChoice,
  as: Resolution,
  output: Output,
): Promise<number> {
  const chosen = await chosenDoubts(operator, choice, output);
  const [first] = chosen;
  if (!first) {
    if (output.json) writeJson(output, []);
    else say(output, "No command is in doubt there.");
    return EXIT.ok;
  }
  const which = `Command ${first.id}, for ${plain(shownKey(first.chat_id) ?? "")} of account ${first.account_id}.`;
  const plan =
    chosen.length === 1 && !choice.all
      ? `${which} ${RISKS[as]}`
      : `${count(chosen.length, "command")}, of each: ${RISKS[as]}`;
  if (choice.dryRun) {
    say(output, plan);
    if (output.json) writeJson(output, chosen);
    else writeTable(output, commandColumns(true), chosen);
    return EXIT.ok;
  }
  // What is not in doubt is refused without a question, which would only frighten.
  if (chosen.some(({ state }) => state === "in_doubt")) await confirm(plan, choice.yes, output);
  const results: RepairResult[] = [];
  // The oldest first: those that are sent again go in that order.
  for (const { id } of chosen) results.push(await operator.ask("resolve", { as }, id));
  const done = results.filter((result) => result.done);
  const [only] = choice.ids.length === 1 ? results : [];
  if (output.json) writeJson(output, only ?? results);
  for (const { id, reason } of results) if (reason !== null && !output.json) say(output, `command ${id}: ${reason}`);
  if (!output.json && only?.done) say(output, `Command ${only.id} is resolved.`);
  else if (!output.json && !only) say(output, `${done.length} of ${count(results.length, "command")} resolved.`);
  return done.length === results.length ? EXIT.ok : EXIT.no;
}

/** Oldest first. Throws CliError. */
async function chosenDoubts(
  operator: Operator,
  { ids, all, chat, since }: DoubtChoice,
  output: Output,
): Promise<Command[]> {
  if (all === ids.length > 0) throw new CliError(EXIT.usage, "which ones? Name their ids, or say --all");
  if (!all && (chat !== undefined || since !== undefined))
    throw new CliError(EXIT.usage, "--chat and --since go with --all");
  if (!all) return await Promise.all(ids.map(async (id) => operator.ask("command", {}, await numberOf(operator, id))));
  const filter = filterOf({ state: "in_doubt", chat, since, limit: Number.POSITIVE_INFINITY });
  const found = await collect(Number.POSITIVE_INFINITY, async (page) => {
    const { commands: rows, ...rest } = await operator.ask("commands", { ...filter, ...page });
    return { rows, ...rest };
  });
  sayUnreadable(found, "command", output);
  return found.rows.reverse();
}

/**
 * `17`, as a list shows it, or Hot Bags' own `command_id`. Where that is a number too, and of another command, it says so.
 * Throws CliError.
 */
async function numberOf(operator: Operator, id: string): Promise<number> {
  const ofHotBags = id.startsWith(OF_HOT_BAGS) ? id.slice(OF_HOT_BAGS.length) : id;
  const { commands } = await operator.ask("commands", { command_id: ofHotBags });
  const [found] = commands;
  if (ofHotBags === id && /^#?\d{1,15}$/.test(id)) {
    const number = Number(id.replace("#", ""));
    if (!found || found.id === number || id.startsWith("#")) return number;
    const which = `command ${found.id} has the command_id ${id}. Say #${number} for the one that a list shows as ${number}, or ${OF_HOT_BAGS}${id}`;
    throw new CliError(EXIT.usage, which);
  }
  if (!found) throw new CliError(EXIT.no, `there is no command ${JSON.stringify(id)}`);
  return found.id;
}
