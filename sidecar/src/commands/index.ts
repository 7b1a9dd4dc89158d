import type { GatewayCall } from "../gateway/index.ts";
import { RowUnreadableError } from "../store/index.ts";
import { type ReplyFile, type StoredReply, UnsendableError } from "./kind.ts";
import { kindOf } from "./read.ts";

export { EXTRAS, type Extras, NO_EXTRAS } from "./extras.ts";
export { type ReplyFile, UnsendableError } from "./kind.ts";
export { readOutbound } from "./outbound.ts";
export { acceptHeader, KINDS, readCommand } from "./read.ts";
export { MAX_MEDIA_BYTES } from "./send-media.ts";

type Reply = StoredReply & { id: number; type: string };

/**
 * What the gateway is asked for to send a reply. Throws UnsendableError, and RowUnreadableError where what was kept of it
 * is none.
 */
export function callOf({ id, type, ...reply }: Reply, file: ReplyFile | null): GatewayCall {
  try {
    const { call } = kindOf(type) ?? {};
    if (!call) throw new Error("the type is no reply's");
    return call(reply, file);
  } catch (error) {
    if (error instanceof UnsendableError) throw error;
    throw new RowUnreadableError("command", id, error);
  }
}

/** Where the file of a reply has to be fetched from before it is sent; null: nowhere. Throws RowUnreadableError. */
export function sourceOf({ id, type, ...reply }: Reply): URL | null {
  try {
    return kindOf(type)?.sourceOf?.(reply) ?? null;
  } catch (error) {
    throw new RowUnreadableError("command", id, error);
  }
}

/** Whether OpenClaw tells that such a reply has gone out, with its text. */
export function isObserved(type: string): boolean {
  return kindOf(type)?.isObserved ?? false;
}
