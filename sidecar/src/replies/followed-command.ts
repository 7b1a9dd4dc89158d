import { hash } from "node:crypto";
import { isObserved } from "../commands/index.ts";
import { literal } from "../gateway/index.ts";
import type { WaitingCommand } from "../store/index.ts";

/** What is remembered of a command that was handed over, and whose end is not known. Its text can be long, and stays in the store. */
export interface FollowedCommand {
  readonly id: number;
  readonly chat: number;
  readonly accountId: string;
  readonly chatId: string;
  readonly commandId: string;
  readonly messageId: string;
  /** When it was handed over, by the wall clock, ms; null: nobody has. */
  readonly sendingAt: number | null;
  /** The gateway tells of the text as it was given to it. Empty: it tells nothing of such a reply. */
  readonly textSha256: string;
}

export function followed(command: WaitingCommand): FollowedCommand {
  return {
    id: command.id,
    chat: command.chat,
    accountId: command.account_id,
    chatId: command.chat_id,
    commandId: command.command_id,
    messageId: command.message_id,
    sendingAt: command.sending_at,
    textSha256: isObserved(command.type) ? hash("sha256", literal(command.text)) : "",
  };
}

/** Its ids, as the log has them. */
export function idsOf({ accountId, messageId, chatId, commandId }: FollowedCommand) {
  return { account_id: accountId, message_id: messageId, chat_id: chatId, command_id: commandId };
}
