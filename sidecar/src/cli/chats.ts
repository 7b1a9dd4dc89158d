import { MAX_PAUSE_SECONDS } from "@hotbags/shared";
import type { PausedChat } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { readDuration } from "./list-options.ts";
import { type Column, type Output, say, shortTime, writeJson, writeTable } from "./output.ts";

const COLUMNS: Column<PausedChat>[] = [
  { title: "account", cell: ({ account_id }) => account_id, spare: 1 },
  { title: "chat", cell: ({ chat_id }) => chat_id },
  { title: "until", cell: ({ until }) => shortTime(until) },
  { title: "by", cell: ({ by }) => (by === "hotbags" ? "Hot Bags" : by) },
  { title: "replies", cell: ({ replies, waiting }) => (replies === "hold" ? `held, ${waiting} wait` : "skipped") },
];

/** Which chat of which WhatsApp account. */
interface Chat {
  account: string;
  chat: string;
}

/** `hotbags chats list`. */
export async function listPausedChats(operator: Operator, output: Output): Promise<number> {
  const { chats } = await operator.ask("pausedChats", {});
  if (output.json) writeJson(output, chats);
  else if (chats.length === 0) say(output, "No chat is paused.");
  else writeTable(output, COLUMNS, chats);
  return EXIT.ok;
}

/** `hotbags chats pause`. */
export async function pauseChat(
  operator: Operator,
  { account, chat, for: lasting, skip }: Chat & { for: string; skip: boolean },
  output: Output,
): Promise<number> {
  const ms = pauseIsFine(lasting);
  const paused = await operator.ask("pause", {
    ...{ account_id: account, chat_id: chat },
    ...{ for_seconds: ms / 1_000, replies: skip ? "skip" : "hold" },
  });
  const until = shortTime(paused.until);
  if (paused.is_new) say(output, `Nothing has ever come from ${chat} on account ${account}: is that right?`);
  if (output.json) writeJson(output, paused);
  else say(output, `No reply goes out to ${chat} until ${until}; ${skip ? "they are skipped" : "then they do"}.`);
  return EXIT.ok;
}

/** In ms. Throws CliError. */
export function pauseIsFine(lasting: string): number {
  const ms = readDuration(lasting);
  if (ms === 0) throw new CliError(EXIT.usage, "--for: must be longer than nothing, such as 30m");
  if (ms > MAX_PAUSE_SECONDS * 1_000) throw new CliError(EXIT.usage, "a chat is paused for 7d at most");
  return ms;
}

/** `hotbags chats resume`. */
export async function resumeChat(operator: Operator, { account, chat }: Chat, output: Output): Promise<number> {
  const { was_paused } = await operator.ask("resume", { account_id: account, chat_id: chat });
  if (output.json) writeJson(output, { was_paused });
  else say(output, was_paused ? `Replies go out to ${chat} again.` : `${chat} was not paused.`);
  return EXIT.ok;
}
