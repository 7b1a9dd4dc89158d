import { maskAddress, transportSessionId } from "@hotbags/shared";
import type { Logger } from "pino";

interface Ids {
  account_id: string;
  message_id: string;
  chat_id: string;
  command_id: string;
}

/** A log whose lines say which command they are about. */
export function commandLog(log: Logger, { account_id, message_id, chat_id, command_id }: Ids): Logger {
  const transport_session_id = transportSessionId(account_id);
  return log.child({ transport_session_id, message_id, chat: maskAddress(chat_id), command_id });
}
