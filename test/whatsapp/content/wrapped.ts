import type { Content } from "./content.ts";

/** What phones wrap some messages in: animated stickers, a text that mentions a whole group, a question to an assistant. */
export type Wrapper = "lottieStickerMessage" | "groupMentionedMessage" | "botInvokeMessage";

export function wrapped(content: Content, wrapper: Wrapper): Content {
  return { ...content, message: { [wrapper]: { message: content.message } } };
}
