import type * as z from "zod";
import type { GatewayCall } from "../gateway/index.ts";
import type { CommandFromResponse } from "../store/index.ts";
import type { Extra } from "./extras.ts";

/** What is kept of a valid command. */
export type Recorded = Pick<CommandFromResponse, "commandId" | "text" | "details" | "file" | "payload" | "order">;

/** A reply as it was kept, on its way out. */
export interface StoredReply {
  text: string;
  /** JSON. */
  details: string | null;
  chat_id: string;
  /** The message that it answers. */
  message_id: string;
}

/** The file that goes with a reply. */
export interface ReplyFile {
  bytes: Buffer;
  /** Its MIME type without parameters; where nobody knows it, application/octet-stream. */
  type: string;
}

/** A reply that can't be sent as it is. The message says why, in a sentence without the customer's words. */
export class UnsendableError extends Error {
  override readonly name = "UnsendableError";
}

/** One kind of command: what it may say, and what is kept of it. */
export interface Kind {
  /** What a developer of Hot Bags calls it. */
  readonly title: string;
  /** Taken only where the operator lets Hot Bags use it. */
  readonly extra?: Extra;
  /** As `parseAnswer` gives it. Fields that the contract does not name are ignored. */
  readonly schema: z.ZodType;
  /** A valid command, or what is wrong with it. */
  read(entry: unknown): Recorded | z.ZodError;
  /** Where the file is that has to be fetched first. Null, or absent: nothing has. */
  sourceOf?(reply: StoredReply): URL | null;
  /** Whether OpenClaw tells, by its hook `message_sent`, that it has gone out, with its text. */
  readonly isObserved?: boolean;
  /**
   * What the gateway is asked for. Absent: the command is about the chat, and nothing is sent. Throws UnsendableError, and
   * what it likes where what was kept makes no sense.
   */
  call?(reply: StoredReply, file: ReplyFile | null): GatewayCall;
}

interface KindParts<Command> {
  title: string;
  extra?: Extra;
  schema: z.ZodType<Command>;
  record(command: Command): Omit<Recorded, "commandId">;
  sourceOf?(reply: StoredReply): URL | null;
  isObserved?: boolean;
  call?(reply: StoredReply, file: ReplyFile | null): GatewayCall;
}

export function defineKind<Command extends { command_id: string }>(parts: KindParts<Command>): Kind {
  const { schema, record, ...rest } = parts;
  return {
    ...rest,
    schema,
    read(entry) {
      const parsed = schema.safeParse(entry);
      if (!parsed.success) return parsed.error;
      return { commandId: parsed.data.command_id, ...record(parsed.data) };
    },
  };
}
