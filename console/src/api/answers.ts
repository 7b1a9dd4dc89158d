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
export type MessageQuery = RawInput<"messages">;
export type ListedMessage = Messages["messages"][number];
export type WholeMessage = Output<"message">;
export type MessageState = ListedMessage["state"];
export type Command = WholeMessage["commands"][number];
export type Commands = Output<"commands">;
export type CommandQuery = RawInput<"commands">;
export type Repair = Output<"resolve">;
export type RetriedDead = Output<"retryDead">;
export type Accounts = Output<"accounts">;
export type LoginStep = Output<"startLogin">;
export type Alerts = Output<"alerts">;
export type Alert = Alerts["open"][number];
export type Config = Output<"config">;

export type Path = Output<"path">;
export type Hop = Path["hops"][number];
export type HopName = Hop["hop"];
export type HopState = Hop["state"];
export type Fleet = Output<"fleet">;
export type Figures = Output<"figures">;
export type MeasuredHop = keyof Figures["hops"];
export type Range = NonNullable<RawInput<"figures">["range"]>;

export type Chats = Output<"chats">;
export type ListedChat = Chats["chats"][number];
export type Conversation = Output<"conversation">;
export type Pause = Conversation["pauses"][number];
export type Entry = Conversation["entries"][number];
export type ConversationFile = Entry["files"][number];
