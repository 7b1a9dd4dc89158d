import type { CommandFromResponse, RecordedCommand } from "./commands.ts";
import type { OutboundRules } from "./outbound-rules.ts";

/** Stands for the message of a command that was in the outbox, and answers none. */
export const OUTBOX = "outbox";

/** More are not counted of those that wait. */
export const MAX_OUTBOUND_WAITING = 1_000;

/** A command of the outbox. What can't be read of its address is null; such a command has a refusal. */
export interface OutboundFromAnswer {
  accountId: string | null;
  chatId: string | null;
  command: CommandFromResponse;
}

/** What came of one poll, to be written down. */
export interface OutboundPage {
  path: string;
  /** What was asked for, and how far it goes on. */
  after: string;
  cursor: string;
  commands: readonly OutboundFromAnswer[];
}

/** What Hot Bags sends without being asked: its cursor, and its commands, in one transaction. */
export interface OutboundStore {
  /** How far the outbox at this path was read. */
  cursorOf(path: string): Promise<string>;

  /** What it gives now may have been sent in the time that a restore has lost. */
  isBehind(path: string): Promise<boolean>;

  /** Commands of the outbox that wait to be sent; none more than MAX_OUTBOUND_WAITING are counted. */
  waiting(): Promise<number>;

  /**
   * Takes in what an answer has, and the cursor behind it, in one transaction. Nothing is written where the cursor is not
   * where the answer began. Resolves with the commands as they were recorded.
   */
  take(page: OutboundPage, rules: OutboundRules): Promise<RecordedCommand[]>;
}
