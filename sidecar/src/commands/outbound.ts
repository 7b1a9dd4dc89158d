import { describeIssues, outboxAddress } from "@hotbags/shared";
import type { OutboundFromAnswer } from "../store/index.ts";
import type { Extras } from "./extras.ts";
import { readCommand } from "./read.ts";

const ACCOUNT = /^whatsapp:/;

/**
 * One entry of `commands[]` in an answer of the outbox: what an answer to a message has there, and where it goes. Whatever
 * it is, it becomes something that can be told of.
 */
export function readOutbound(entry: unknown, extras: Extras): OutboundFromAnswer {
  const command = readCommand(entry, extras);
  const { to, transport_session_id: session } = outboxAddress.shape;
  const fields: Record<string, unknown> = typeof entry === "object" && entry !== null ? { ...entry } : {};
  const account = session.safeParse(fields["transport_session_id"]);
  const chat = to.safeParse(fields["to"]);
  const address = {
    accountId: account.success ? account.data.replace(ACCOUNT, "") : null,
    chatId: chat.success ? chat.data : null,
  };
  const read = outboxAddress.safeParse(fields);
  if (!read.success)
    return { ...address, command: refused(command, `not a valid command: ${describeIssues(read.error)}`) };
  // There is no message that it could be about.
  if (command.type === "react" && command.refusal === null && fields["message_id"] === undefined)
    return { ...address, command: refused(command, "not a valid command: message_id: must be there in the outbox") };
  return { ...address, command };
}

function refused(command: OutboundFromAnswer["command"], reason: string): OutboundFromAnswer["command"] {
  const { order: _, ...rest } = command;
  return { ...rest, text: null, details: null, file: null, refusal: { state: "failed", reason } };
}
