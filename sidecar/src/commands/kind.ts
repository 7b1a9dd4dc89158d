import type * as z from "zod";
import type { GatewayCall } from "../gateway/index.ts";
import type { CommandFromResponse } from "../store/index.ts";
import type { Extra } from "./extras.ts";

/** What is kept of a valid command. */
export type Recorded = Pick<CommandFromResponse, "commandId" | "text" | "details" | "payload" | "order">;

/** A reply as it was kept, on its way out. */
export interface StoredReply {
  text: string;
  /** JSON. */
  details: string | null;
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
  /** What the gateway is asked for. Absent: the command is about the chat, and nothing is sent. */
  call?(reply: StoredReply): GatewayCall;
}

interface KindParts<Command> {
  title: string;
  extra?: Extra;
  schema: z.ZodType<Command>;
  record(command: Command): Omit<Recorded, "commandId">;
  call?(reply: StoredReply): GatewayCall;
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
