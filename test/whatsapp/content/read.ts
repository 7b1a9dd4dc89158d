import { getContentType, normalizeMessageContent, type proto } from "baileys";

/** The parts of a message of the bot that tests look at. */
export interface ReadContent {
  readonly kind: string;
  readonly text: string | undefined;
  readonly quotedId: string | undefined;
}

interface AnyContent {
  readonly text?: string | null;
  readonly caption?: string | null;
  readonly contextInfo?: proto.IContextInfo | null;
}

export function readContent(message: proto.IMessage): ReadContent {
  const inner = normalizeMessageContent(message) ?? message;
  const kind = getContentType(inner) ?? "unknown";
  const content: unknown = inner[kind as keyof proto.IMessage];
  if (typeof content === "string") return { kind, text: content, quotedId: undefined };
  const { text, caption, contextInfo } = (content ?? {}) as AnyContent;
  return { kind, text: text ?? caption ?? undefined, quotedId: contextInfo?.stanzaId ?? undefined };
}
