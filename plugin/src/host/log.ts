import { maskAddress } from "@hotbags/shared";

/** Where log lines go: OpenClaw's `api.logger`, or an array in tests. */
export type Log = {
  info(line: string): void;
  warn(line: string): void;
  error(line: string): void;
};

/** What a line is about. Only ids and masked addresses: a text or a token has no field to get in by. */
export type About = { account?: string; chat?: string; messageId?: string; code?: string };

/** A log line in the plugin's one grammar: `hotbags: account=… chat=… message_id=… what happened`. */
export function line(about: About, whatHappened: string): string {
  const facts = [
    about.account === undefined ? "" : `account=${printable(about.account)} `,
    about.chat === undefined ? "" : `chat=${maskAddress(printable(about.chat))} `,
    about.messageId === undefined ? "" : `message_id=${printable(about.messageId)} `,
    about.code === undefined ? "" : `code=${printable(about.code)} `,
  ];
  return `hotbags: ${facts.join("")}${whatHappened}`;
}

/** Ids come from outside: a line break in one would forge a second log line. */
function printable(id: string): string {
  return id.replace(/[^\x21-\x7e]/g, "?").slice(0, 128);
}
