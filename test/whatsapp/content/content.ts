import type { proto } from "baileys";

/** An encrypted media file for the server to hand out. */
export interface Upload {
  /** The `directPath` of the message. */
  readonly path: string;
  readonly body: Buffer;
}

/** What a contact says, whatever its kind. Each kind has its builder in a file of its own in this folder. */
export interface Content {
  readonly message: proto.IMessage;
  /** The stanza's `type`. */
  readonly type: "text" | "media" | "poll" | "reaction";
  /** The stanza's `mediatype`, for media. */
  readonly mediaType?: string;
  /** The stanza's `edit`, for what changes another message: 1 edits it, 7 takes back what its author sent. */
  readonly edit?: "1" | "7";
  /** Its text or caption; "" where it has none. */
  readonly text: string;
  /** The file that a phone uploads before it sends the message. */
  readonly upload?: Upload;
  /** Why WhatsApp withholds the content from linked devices: they get this word in its place. */
  readonly unavailable?: "view_once";
}

/** A message that can be quoted: a contact's or the bot's. */
export interface Quotable {
  readonly id: string;
  /** The author's address. */
  readonly from: string;
  readonly message: proto.IMessage;
}

export interface Context {
  readonly quote?: Quotable | undefined;
  /** The addresses of those who are mentioned. */
  readonly mentioned?: readonly string[];
  /** For a chat with disappearing messages: how long this one stays, in seconds. */
  readonly expiresInSeconds?: number;
}

/** The context that every kind carries in the same way; undefined where there is none. */
export function contextInfo({ quote, mentioned = [], expiresInSeconds }: Context): proto.IContextInfo | undefined {
  if (!quote && mentioned.length === 0 && expiresInSeconds === undefined) return undefined;
  return {
    ...(quote && { stanzaId: quote.id, participant: quote.from, quotedMessage: quote.message }),
    ...(mentioned.length > 0 && { mentionedJid: [...mentioned] }),
    ...(expiresInSeconds !== undefined && { expiration: expiresInSeconds }),
  };
}
