import type { proto } from "baileys";
import type { Quotable } from "./content.ts";

/** A message as its chat's members name it to each other, from the point of view of the one who names it. */
export interface NamedFrom {
  /** Both addresses of the one who names it. */
  readonly me: readonly string[];
  /** The chat as that person's phone knows it: the bot's address, or the group's id. */
  readonly chat: string;
  readonly isGroup: boolean;
}

export function keyOf({ id, from }: Quotable, { me, chat, isGroup }: NamedFrom): proto.IMessageKey {
  return { remoteJid: chat, id, fromMe: me.includes(from), ...(isGroup && { participant: from }) };
}
