import type { BinaryNode } from "baileys";

export const SERVER = "s.whatsapp.net";

export function result(iq: BinaryNode, content: BinaryNode[] = []): BinaryNode {
  return { tag: "iq", attrs: { id: iq.attrs["id"] ?? "", type: "result", from: iq.attrs["to"] ?? SERVER }, content };
}

export function failure(iq: BinaryNode, code: number, text: string): BinaryNode {
  const error = { tag: "error", attrs: { code: String(code), text } };
  return {
    tag: "iq",
    attrs: { id: iq.attrs["id"] ?? "", type: "error", from: iq.attrs["to"] ?? SERVER },
    content: [error],
  };
}

export function node(tag: string, attrs: Record<string, string> = {}, content?: BinaryNode["content"]): BinaryNode {
  return { tag, attrs, ...(content !== undefined && { content }) };
}

export function nowSeconds(): string {
  return String(Math.floor(Date.now() / 1000));
}
