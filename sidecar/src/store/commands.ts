import { hash } from "node:crypto";
import type { ChatOrder } from "./pauses.ts";

/** A command as the relay read it from a response, in array order. */
export interface CommandFromResponse {
  commandId: string | null;
  type: string | null;
  text: string | null;
  /** What it says besides its text, as JSON. */
  details?: string | null;
  /** The bytes of its file. */
  file?: Buffer | null;
  /** The command as it came, for telling a repeat from a reuse of its id. */
  payload: string;
  /** Why it won't be executed; null when it will. */
  refusal: { state: "failed" | "skipped"; reason: string } | null;
  /** What it is about its chat: it is done as soon as it is recorded, and nothing is sent. */
  order?: ChatOrder;
}

/** Of a command's `payload`, by which a repeat is known. */
export function hashOf(payload: string): string {
  return hash("sha256", payload);
}

export interface RecordedCommand {
  /** Its number; null where nothing was written. */
  id: number | null;
  commandId: string | null;
  chat: number;
  /**
   * `pending`: to be sent. `sending`: to be handed to the gateway now, see `handed`. `in_doubt`: it may have been sent in the time that a restore has lost. `repeated`: its id and
   * payload were seen before, nothing was written.
   */
  outcome: "pending" | "sending" | "in_doubt" | "done" | "failed" | "skipped" | "repeated";
  /** Why it is not sent, or what was done. */
  reason: string | null;
  /** The command that is `sending`. */
  handed?: NextCommand;
}

/**
 * A chat whose next reply may go as soon as it is recorded: its intent to send is in the commit that records it. Not where
 * anything waits in the chat, it is paused, or its message was written to another number.
 */
export interface HandOver {
  account_id: string;
  chat_id: string;
  /** The gateway process that is asked. */
  gatewayProcess: string | null;
  /** The account's number of now, E.164; null where it is not known. */
  linked: string | null;
  /** The chat's reply before it, whose end is on its way to the disk: nothing is handed over where that came to nothing. */
  behind: number | null;
}

/** A command that waits to be sent, or whose sending was cut off. */
export interface WaitingCommand {
  id: number;
  seq: number;
  chat: number;
  command_id: string;
  message_id: string;
  account_id: string;
  chat_id: string;
  type: string;
  text: string;
  /** What it says besides, as JSON. */
  details: string | null;
  /** Whether it was in the outbox; `message_id` is no message's then. */
  outbound: string | null;
  /** When it was handed to the gateway: wall-clock ms, and ms since that machine started. */
  sending_at: number | null;
  sending_boot_ms: number | null;
  gateway_process: string | null;
}

/** The command that is next in a chat, with all that decides whether it goes. */
export interface NextCommand extends WaitingCommand {
  /** For how long a pause of its chat holds it, ms; 0 when none does. A pause that can't be read holds nothing. */
  pausedMs: number;
  /**
   * The shop's number that its message was written to; of what is in the outbox, that the chat's last message was. Null
   * where that is not known, is forgotten, or can't be read.
   */
  writtenTo: string | null;
  times: AnswerTimes;
  /** The bytes of the file that came with it; null: none did. */
  file: Buffer | null;
}

/**
 * When a command's message was written, as WhatsApp says, and when that was answered, wall-clock ms; null where that is not
 * known, is forgotten, or can't be read, and of what answers none.
 */
export interface AnswerTimes {
  writtenAt: number | null;
  answeredAt: number | null;
}

/** Of a message's timestamp, as it is in its request. */
export function answerTimes(timestamp: unknown, answeredAt: number | null): AnswerTimes {
  const writtenAt = typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
  return { writtenAt: Number.isNaN(writtenAt) ? null : writtenAt, answeredAt };
}

/** A command of which it is not known whether it was sent. */
export interface DoubtfulCommand extends WaitingCommand {
  /** The gateway process that was asked about it last, in vain. */
  asked_process: string | null;
  /** When the operator was told, wall-clock ms. */
  alarmed_at: number | null;
}

/** When a command was handed to the gateway, and to which process of it. */
export interface HandedOver {
  /** Wall-clock ms. */
  sending_at: number;
  /** Since the machine started, ms. */
  sending_boot_ms: number;
  gateway_process: string | null;
}

/** Why a command is not sent, or may not be. */
export interface Told {
  /** In our own words. */
  reason: string | null;
  /** In the gateway's, which can quote the customer: seen by whoever looks at this one command, and forgotten with its text. */
  said?: string | null | undefined;
}

export interface Settlement extends Told {
  whatsappMessageId: string | null;
  /** A part of the text is on the phone and the rest is not: no proof of a send can settle that. */
  partial?: boolean;
}

export type SettledState = "sent" | "queued_by_gateway" | "in_doubt" | "failed";

/** States that a damaged page can keep a command from leaving. */
export type UnsettledState = "pending" | "sending" | "queued_by_gateway" | "in_doubt";

/** Why a reply is in doubt that was never handed over. */
export const MAYBE_SENT = "a backup was restored: it may have been sent in the time that was lost";

/**
 * The commands' side of the store. States: `pending → sending → sent | queued_by_gateway | in_doubt | failed`, `pending → failed` where nobody was asked,
 * `sending → pending` only where it is proven that nothing was sent; on from `queued_by_gateway` by HandoverStore.
 */
export interface CommandStore {
  /**
   * Chats with a command to send, oldest first. Read once at start, or when the account has become ours, as all that takes an
   * account here: without one, of all that are ours. Where a page can't be read, every chat may have one.
   */
  waitingChats(account?: string): Promise<number[]>;

  /** The command that is next in a chat. Rejects with RowUnreadableError. */
  nextOf(chat: number): Promise<NextCommand | undefined>;

  /** Commands that were being sent when the process ended that owned them, by id. */
  interrupted(account?: string): Promise<number[]>;

  /** Commands in doubt, by id, newest first. */
  inDoubt(limit: number, account?: string): Promise<number[]>;

  /** A command in doubt that a proof could still settle; undefined for any other. Rejects with RowUnreadableError. */
  doubt(id: number): Promise<DoubtfulCommand | undefined>;

  /** WhatsApp's ids of the replies sent last, as far as they can be read. */
  sentIds(limit: number, account?: string): Promise<string[]>;

  /** Any command that there is. Rejects with RowUnreadableError. */
  get(id: number): Promise<WaitingCommand>;

  /** The bytes of the file that came with a command; null: none did, or they are forgotten. */
  fileOf(id: number): Promise<Buffer | null>;

  /** How many commands this gateway process was handed since, ms since the machine started; counts to 1,000, no further. */
  sendsSince(gatewayProcess: string, bootMs: number): Promise<number>;

  /**
   * What was sent, or may have been, between these times by the wall clock, oldest first; nothing where a page can't be read.
   */
  sentBetween(from: number, to: number, account?: string): Promise<{ chat: number; at: number }[]>;

  /**
   * The intent to send, on disk before the gateway is asked: what is `sending` after a crash may have gone out. Resolves
   * with what is written of it; with null where it must not be sent: since it was read its chat was paused, which holds or
   * skips it, one before it is to be sent again, or the end of `behind`, which was on its way to the disk, did not get there.
   */
  sending(id: number, gatewayProcess: string | null, behind?: number | null): Promise<HandedOver | null>;

  /** It can't be sent, and that was known before the gateway was asked. */
  refused(id: number, reason: string): Promise<void>;

  /** How the sending of a command ended. Resolves with whether another one is next in its chat; true also where that can't be read. */
  settled(id: number, state: SettledState, settlement: Settlement): Promise<boolean>;

  /**
   * The same where nobody waits for it, and the store `handsOver`: it goes with the next commit that somebody does wait for, or
   * a few ms later. What is handed over meanwhile in its chat names it as `behind`.
   */
  settledLater(id: number, state: SettledState, settlement: Settlement): Promise<void>;

  /** A command in doubt turned out to have gone. */
  proven(id: number, state: "sent" | "queued_by_gateway", whatsappMessageId: string | null): Promise<void>;

  /**
   * A gateway process was asked about a command in doubt, and proved nothing. The operator has been told of it by
   * now.
   */
  askedInVain(id: number, gatewayProcess: string | null): Promise<void>;

  /**
   * A command that can't be read, or whose state can't be written, since a page is damaged. Its row stays as it is
   * there; it is counted as `to`, and passed over.
   */
  passOver(id: number, from: UnsettledState, to: SettledState): Promise<void>;

  /** It is proven that nothing was sent: the command waits again, unless its chat was paused meanwhile in a way that skips it. */
  notSent(id: number, told: Told): Promise<void>;
}
