import type { proto } from "baileys";

/** Milliseconds since the epoch with fractions: comparable between processes of one machine. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * What the server does with a message of the bot: `ack` delivers and acknowledges it, `error` refuses it (500), `locked`
 * refuses it as it does under a reach-out time lock (463), `silent` delivers it but never acknowledges it, `lost` does neither.
 */
export type SendOutcome = "ack" | "error" | "locked" | "silent" | "lost";

/** A message that the bot sent. */
export interface BotMessage {
  readonly id: string;
  /** Who gets it: a number in E.164 or a group's id. */
  readonly chat: string;
  readonly accountId: string;
  /** Its text or caption; undefined where it has none. */
  readonly text: string | undefined;
  /** Which field of the protocol message is set: `conversation`, `extendedTextMessage`, `imageMessage`, ... */
  readonly kind: string;
  /** The id of the message that it quotes. */
  readonly quotedId: string | undefined;
  readonly at: Date;
  /** When the server had decrypted it, in ms since the epoch with fractions. */
  readonly atMs: number;
  /** The bot's address, as a contact quotes it. */
  readonly from: string;
  readonly message: proto.IMessage;
  readonly outcome: SendOutcome;
  /** False for a number that isn't on WhatsApp, and for the outcomes `error`, `locked` and `lost`. */
  readonly delivered: boolean;
  /** How often this id came; a phone shows it once. More than 1 after a retry receipt, or when the bot sends it again. */
  copies: number;
}

/** A message of the bot that a phone could not read; it has asked for it again. */
export interface Undecrypted {
  readonly id: string;
  readonly chat: string;
  /** The phone, in E.164. */
  readonly reader: string;
  readonly accountId: string;
  readonly atMs: number;
  readonly error: string;
  /** How often the phone asked for it again. */
  retries: number;
  /** True once it came again and could be read. */
  resolved: boolean;
}

export type ReceiptKind = "delivery" | "read" | "retry" | "other";

/** A receipt that the bot sent for one message of a contact. */
export interface Receipt {
  readonly kind: ReceiptKind;
  readonly id: string;
  readonly chat: string;
  /** Who wrote the message, in E.164. */
  readonly author: string;
  readonly accountId: string;
  readonly atMs: number;
}

/** What a phone shows above a chat while the bot does something there: `composing` is "typing…", `paused` ends it. */
export interface ChatState {
  readonly state: string;
  readonly chat: string;
  readonly accountId: string;
  readonly atMs: number;
}

/** A message of a contact, as events tell of it. */
export interface SentFacts {
  readonly id: string;
  readonly chat: string;
  readonly author: string;
  readonly accountId: string;
  readonly text: string;
}

/** What happens at the server, in order. */
export type WhatsAppEvent =
  | { readonly type: "connected" | "online" | "disconnected"; readonly atMs: number; readonly accountId: string }
  | { readonly type: "accepted"; readonly atMs: number; readonly sent: SentFacts }
  /** Written to the bot's socket; `offline` if as part of the backlog, `delivery` counts from 1. */
  | {
      readonly type: "delivered";
      readonly atMs: number;
      readonly sent: SentFacts;
      readonly offline: boolean;
      readonly delivery: number;
    }
  | { readonly type: "receipt"; readonly atMs: number; readonly receipt: Receipt }
  /** The bot gave a message up without a receipt: WhatsApp would drop it, the double keeps it for the next login. */
  | {
      readonly type: "nack";
      readonly atMs: number;
      readonly accountId: string;
      readonly id: string;
      readonly error: string;
    }
  | { readonly type: "heard"; readonly atMs: number; readonly message: BotMessage }
  | { readonly type: "undecrypted"; readonly atMs: number; readonly undecrypted: Undecrypted };

export type WhatsAppListener = (event: WhatsAppEvent) => void;

/** Where the parts of the server report what happened. */
export interface Reporter {
  emit(event: WhatsAppEvent): void;
  /** A line for a human; never a message's text. */
  log(line: string): void;
}
