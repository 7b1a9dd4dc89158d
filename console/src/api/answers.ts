import type { Output, RawInput } from "../../../sidecar/src/operator/schemas.ts";

// What the sidecar answers, by the operator API's own schemas: nothing of them but the types is in the page.

export type Session = { user: string; role: "look" | "act"; read_only: boolean; expires_at: string };
export type ListedSession = {
  id: number;
  user: string;
  role: "look" | "act";
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  is_this: boolean;
};

export type Messages = Output<"messages">;
export type MessageQuery = RawInput<"messages"> & { account_id?: string };
export type ListedMessage = Messages["messages"][number] & { chat?: number };
export type WholeMessage = Output<"message"> & { chat?: number };
export type MessageState = ListedMessage["state"];
export type Command = WholeMessage["commands"][number];
export type Commands = Output<"commands">;
export type CommandQuery = RawInput<"commands">;
export type Repair = Output<"resolve">;
export type Accounts = Output<"accounts">;
export type LoginStep = Output<"startLogin">;
export type Alerts = Output<"alerts">;
export type Alert = Alerts["open"][number];
export type Config = Output<"config">;

export type HopName = "whatsapp" | "openclaw" | "plugin" | "sidecar" | "hotbags";
export type HopState = "ok" | "slow" | "down" | "unknown";
export interface Hop {
  hop: HopName;
  account_id: string | null;
  state: HopState;
  since: string | null;
  sentence: string;
  code: string;
}
export interface Path {
  answered: "yes" | "partly" | "no" | "unknown";
  sentence: string;
  code: string;
  since: string | null;
  hops: Hop[];
  waiting: {
    messages: number | null;
    oldest_ms: number | null;
    replies: number | null;
    oldest_reply_ms: number | null;
  };
  dead: number | null;
  in_doubt: number | null;
  refused: number | null;
  alerts: number;
}

type Series = (number | null)[];
export type MeasuredHop = "capture" | "hotbags" | "reply" | "whole";
export type Range = "hour" | "day" | "week" | "month";
export interface Figures {
  from: string;
  step_s: number;
  at: number[];
  messages_in: Series;
  replies_out: Series;
  failures: Record<string, Series>;
  waiting: Series;
  hops: Record<MeasuredHop, { p50_ms: Series; p95_ms: Series }>;
}

export interface ListedChat {
  chat: number;
  account_id: string;
  name: string;
  last_at: string;
  messages: number;
  waiting: number;
  dead: number;
  in_doubt: number;
  paused: boolean;
}
export interface Chats {
  chats: ListedChat[];
  next: number | null;
}
export interface ConversationFile {
  n: number;
  type: string | null;
  bytes: number | null;
  name: string | null;
}
export interface Entry {
  kind: "in" | "out";
  at: string;
  message: number;
  command: number | null;
  state: string;
  type: string | null;
  text: string | null;
  files: ConversationFile[];
}
export interface Conversation {
  chat: number;
  account_id: string;
  name: string;
  entries: Entry[];
  next: number | null;
}
