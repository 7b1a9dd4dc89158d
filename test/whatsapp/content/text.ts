import { type Content, type Context, contextInfo } from "./content.ts";

/** A text, as a phone sends it: plain, or extended as soon as it quotes or mentions somebody. */
export function text(body: string, context: Context = {}): Content {
  const info = contextInfo(context);
  const message = info ? { extendedTextMessage: { text: body, contextInfo: info } } : { conversation: body };
  return { message, type: "text", text: body };
}
