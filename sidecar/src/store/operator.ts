import type { FleetAccount } from "./fleet.ts";
import type { AttemptRow } from "./messages.ts";

/** A part of a list. `next`: what the next part begins before; null: this was the last. A part can be empty, and not be the last. */
export interface Page<Row> {
  rows: Row[];
  next: number | null;
  /** The numbers of those that should stand between them, and can't be read: a page of the database is damaged. */
  unreadable: number[];
}

/** One thing that an operator did, or looked at. */
export interface AuditEntry {
  id: number;
  /** Wall-clock ms. */
  at: number;
  /** The system user who did it. */
  who: string;
  action: string;
  /** What it was done to. */
  kind: "message" | "command" | "chat" | "settings" | "restore" | "backup" | "console" | "store";
  /** 0: there is but one. */
  subject: number;
  result: string;
}

/** As it is read. */
export interface ReadEntry extends AuditEntry {
  /** Of a chat, whose: a whole number; null: of anything else, or it is forgotten. */
  chat_id: string | null;
}

/** Where a message is. `detached` is pending, beside its chat's lane; `discarded` a dead letter that the operator is done with. */
export type MessageState = "pending" | "detached" | "delivered" | "dead" | "discarded";

/** A message in a list. Times are wall-clock ms. */
export interface MessageRow {
  id: number;
  message_id: string;
  /** The number of its chat. */
  chat: number;
  account_id: string;
  chat_id: string;
  state: MessageState;
  received_at: number;
  settled_at: number | null;
  /** POSTs since it was taken in, or was last sent again. */
  attempts: number;
  /** When it is tried next; null: it does not wait, or was not tried yet. */
  next_attempt_at: number | null;
  /** Of the last answer; null: there was none. */
  status: number | null;
  last_error: string | null;
  /** It is no message, but what a command of the outbox belongs to, and stands in no list. */
  is_outbound: boolean;
}

/** The whole life of one message. */
export interface MessageLife extends MessageRow {
  /** Those that failed: the first 5 and the last 20, and what made it a dead letter. */
  failed_attempts: AttemptRow[];
  /** How many failed in all. */
  failed_count: number;
  /** How long the attempt took that settled it, ms; null: it is not settled, or that was not measured. */
  duration_ms: number | null;
  /** What was POSTed, without the bytes of files; null: forgotten. */
  request: string | null;
  /** What Hot Bags answered; null: nothing yet, or forgotten. */
  response: string | null;
}

export interface MessageFilter {
  states?: readonly MessageState[] | undefined;
  /** A phone number or a group, as it came. */
  chatId?: string | undefined;
  accountId?: string | undefined;
  /** Wall-clock ms: received since then; of dead letters and discarded ones, settled since then. */
  since?: number | undefined;
}

export type CommandState = "pending" | "sending" | "sent" | "queued_by_gateway" | "in_doubt" | "failed" | "skipped";

/** A command in a list. Times are wall-clock ms. */
export interface CommandRow {
  id: number;
  /** Null: Hot Bags gave it none that could be read. */
  command_id: string | null;
  /** The message that it came back for: its number, and its own id; of one of the outbox what stands for these. */
  message: number;
  message_id: string;
  /** The number of its chat. */
  chat: number;
  account_id: string;
  chat_id: string;
  type: string | null;
  state: CommandState;
  created_at: number;
  /** When it was handed to the gateway. */
  sending_at: number | null;
  settled_at: number | null;
  whatsapp_message_id: string | null;
  /** Only a part of its text is on the customer's phone. */
  is_partial: boolean;
  reason: string | null;
}

/** With what is to be said. */
export interface CommandLife extends CommandRow {
  /** Null: forgotten, or there was none. */
  text: string | null;
  /** What it says besides, as JSON; null: nothing, or forgotten. */
  details: string | null;
  /** How large the file is that came with it. */
  file_bytes: number | null;
  /** What the gateway said of it, which can quote the customer; null: nothing, or forgotten. */
  said: string | null;
}

export interface CommandFilter {
  states?: readonly CommandState[] | undefined;
  chatId?: string | undefined;
  accountId?: string | undefined;
  /** Wall-clock ms: came back since then. */
  since?: number | undefined;
}

/** A chat in a list. */
export interface ChatRow {
  /** Of its last message: what a list goes on before. */
  id: number;
  chat: number;
  account_id: string;
  /** A whole number, a group, or the hash of one that is forgotten. */
  chat_id: string;
  /** When its last message came, wall-clock ms. */
  last_at: number;
}

/** How many there are of each in a chat; of none more than 1,000 are counted. */
export interface ChatCounts {
  messages: number;
  /** Messages that wait for Hot Bags, and replies that wait for the customer. */
  waiting: number;
  dead: number;
  in_doubt: number;
}

export interface ChatFilter {
  accountId?: string | undefined;
  /** A phone number or a group. */
  chatId?: string | undefined;
}

/** One message of a chat's, as it is stored. Times are wall-clock ms. */
export interface SpokenMessage {
  id: number;
  state: "pending" | "delivered" | "dead";
  detached: number;
  discarded_at: number | null;
  received_at: number;
  /** What was POSTed, without the bytes of files; null: forgotten. */
  request: string | null;
  /** Not null: it is no message, but what a command of the outbox belongs to. */
  outbound: string | null;
}

/** One command that came back for it. */
export interface SpokenCommand {
  id: number;
  type: string | null;
  state: string;
  created_at: number;
  sending_at: number | null;
  settled_at: number | null;
  text: string | null;
  /** JSON. */
  details: string | null;
  file_bytes: number | null;
}

/** What there is of a customer. */
export interface Found {
  messages: number;
  /** Messages that Hot Bags has not got, and dead letters. */
  waiting: number;
  dead: number;
  /** Replies: in the queue, of unknown fate, and such as are with the gateway just now. */
  replies_waiting: number;
  replies_in_doubt: number;
  replies_being_sent: number;
  files: number;
}

/** How far a search has come. */
export interface SearchStep {
  found: Found;
  /** Where the next step begins; null: this was the last. */
  next: number | null;
  /** How far it has come, from 0 to 1. */
  progress: number;
}

/** Whom to forget, and from where on. */
export interface ErasureRequest {
  /** E.164. */
  number: string;
  /** How far earlier requests have come; 0: this is the first. */
  after: number;
  /** How many messages these have left, and forgotten. */
  left: number;
  forgotten: number;
  /** What waits, too: its messages become dead letters and its replies fail, and then they are forgotten. */
  includingWaiting: boolean;
}

export interface Erased {
  found: Found;
  /** Messages that are forgotten by this. */
  forgotten: number;
  /** Messages that stay, for they wait or their replies do. */
  left: number;
  /** Where the next request begins; null: this was the last. */
  next: number | null;
  /** How far it has come, from 0 to 1. */
  progress: number;
  /** With the last one: the number is no longer in the database. */
  isNumberGone: boolean;
  /** With the last one: nor is anything of them in the write-ahead log. False: a reader keeps it; it goes by itself later. */
  isLogCleared: boolean;
  /** Chats whose work has changed by it, and commands in doubt that are so no longer. */
  chats: number[];
  resolved: { id: number; chat: number }[];
}

/** What an operator can make of a command in doubt. */
export type Resolution = "sent" | "resend" | "discard";

/** What came of a repair. */
export type Repaired =
  | { done: true; chat: number }
  /** Nothing was changed. `reason`: a sentence for the operator. */
  | { done: false; found: boolean; reason: string };

/** The whole life of one message. */
export interface WholeMessage extends MessageLife {
  /** What came back for it, in its order. */
  commands: CommandRow[];
  /** When an operator sent it again, wall-clock ms, the oldest first. */
  retries: Pick<AuditEntry, "at" | "who">[];
}

/** `read`: its bytes in pieces, each good until the next one is asked for. */
export interface StoredFile {
  bytes: number;
  read(): AsyncGenerator<Buffer>;
}

/** A message with what came back for it, in its order. */
export type Spoken = SpokenMessage & { commands: SpokenCommand[] };

/** What an operator may ask. Also of a database that no sidecar runs on. */
export interface OperatorReads {
  messages(filter: MessageFilter, before: number | null, limit: number): Promise<Page<MessageRow>>;
  /** More than one only where two chats had a message with this id. */
  messagesWithId(messageId: string): Promise<MessageRow[]>;
  message(id: number): Promise<WholeMessage | undefined>;
  commands(filter: CommandFilter, before: number | null, limit: number): Promise<Page<CommandRow>>;
  commandWithId(commandId: string): Promise<CommandRow | undefined>;
  command(id: number): Promise<CommandLife | undefined>;
  /** Dead letters since this time; see MessagePages.deadSince. */
  deadSince(since: number, after: number, limit: number): Promise<{ ids: number[]; next: number | null }>;
  chats(filter: ChatFilter, before: number | null, limit: number): Promise<Page<ChatRow>>;
  chatCounts(chats: readonly number[]): Promise<Map<number, ChatCounts>>;
  /** Whose a chat is, by its number. */
  chatOf(chat: number): Promise<{ account_id: string; chat_id: string } | undefined>;
  conversation(chat: number, before: number | null, limit: number): Promise<Spoken[]>;
  /** The number of a chat; undefined where nothing ever came from it. */
  chat(accountId: string, chatId: string): Promise<number | undefined>;
  audit(before: number | null, limit: number): Promise<ReadEntry[]>;
  /** One step of counting what there is of a customer; see CustomerSearch. */
  find(number: string, after: number): Promise<SearchStep>;
  /** The accounts of all sidecars that share the store; null: it has one owner, who works on all of them. */
  fleet(): Promise<FleetAccount[] | null>;
}

/** What an operator may do. `who`: the system user. */
export interface OperatorWrites {
  retry(id: number, who: string): Promise<Repaired>;
  discard(id: number, who: string): Promise<Repaired>;
  resolve(id: number, as: Resolution, who: string): Promise<Repaired>;
  /** One step of it; see Erasure. */
  forget(request: ErasureRequest, who: string): Promise<Erased>;
  /** A file that a message came with, by its place; undefined: it has none there, or it is forgotten. Reading throws FileLostError. */
  file(id: number, position: number): Promise<StoredFile | undefined>;
  /** Writes down what was done elsewhere, or what somebody looked at. */
  note(entry: Omit<AuditEntry, "id" | "at">): Promise<void>;
}

export type OperatorStore = OperatorReads & OperatorWrites;
