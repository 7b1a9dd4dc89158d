import * as z from "zod";
import { transportSessionId } from "./address.ts";
import { shallow } from "./depth.ts";
import { MAX_COMMANDS } from "./limits.ts";
import type { InboundMessage, MediaItem } from "./message.ts";
import { storableJson } from "./storable.ts";

/** Where Hot Bags takes messages, below `HOTBAGS_BASE_URL`. */
export const INBOUND_PATH = "/api/integrations/whatsapp/inbound";

/** An attachment as Hot Bags gets it: described with `omitted`, or with `data_base64`, which is empty here and filled in when it is POSTed. */
export type OutgoingItem = MediaItem & { data_base64?: "" };

/**
 * The exact JSON text POSTed for a message, but for the files' bytes. It is rendered once, stored, and sent byte for byte on every attempt,
 * because Hot Bags refuses a known idempotency key with another body. `places` says where in its UTF-8 bytes the base64 of each item
 * with `data_base64` belongs, in the order of the items. NUL and half a pair of surrogates become U+FFFD: no Postgres
 * takes them, so a backend that stores what it gets would fail with this message for ever.
 */
export function renderBody(
  message: InboundMessage,
  media: readonly OutgoingItem[],
): { request: string; places: number[] } {
  const { message_id, chat_id, from, text, timestamp, raw } = message;
  const places: number[] = [];
  let request = `${write({ message_id, chat_id, from, text }).slice(0, -1)},"media":[`;
  for (const [position, { data_base64, ...described }] of media.entries()) {
    if (position > 0) request += ",";
    request += write(data_base64 === undefined ? described : { ...described, data_base64 });
    // An item with bytes ends with `"data_base64":""}`: they go between the quotes.
    if (data_base64 !== undefined) places.push(Buffer.byteLength(request) - '"}'.length);
  }
  const rest = { timestamp, raw, transport_session_id: transportSessionId(message.account_id) };
  return { request: `${request}],${write(rest).slice(1)}`, places };
}

const write = (value: unknown) => storableJson(JSON.stringify(value));

/** Fields that may be numbers, and how these are written. */
const NUMERIC: ReadonlyMap<string, RegExp> = new Map([
  ["command_id", /^[1-9]\d*$/],
  ["cursor", /^(0|[1-9]\d*)$/],
]);

/**
 * The JSON of an answer. A `command_id` that is a number, as a Postgres bigint is, becomes the string of its digits:
 * `1` and `"1"` are one command. Only a whole number from 1 to 2^53-1, written in digits alone, is taken, because
 * JSON.parse rounds others: 9007199254740993 would be the id of another command. Such a one stays a number, and
 * `commands` refuses it. A `cursor` is read likewise. Throws SyntaxError; RangeError when an answer with a number is nested
 * thousands deep.
 */
export function parseAnswer(text: string): unknown {
  // Where no value can be a number, there is none to read so, which takes five times as long.
  if (!/:\s*\d/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (key: string, value: unknown, written?: { source?: string }) =>
    NUMERIC.get(key)?.test(written?.source ?? "") && Number.isSafeInteger(value) ? written?.source : value,
  );
}

/**
 * The envelope of a 2xx answer. Its commands are judged one by one (`commands`), so that one bad command
 * does not keep the others back; an envelope that does not fit is never executed in part.
 */
export const responseEnvelope = shallow.pipe(
  z.looseObject({
    commands: z.array(z.unknown()).max(MAX_COMMANDS, `must not have more than ${MAX_COMMANDS} entries`).optional(),
  }),
);

/** What becomes of a chat's replies while it is paused: kept until its end, or never sent. */
export const pauseReplies = z.enum(["hold", "skip"], 'must be "hold" or "skip"');
export type PauseReplies = z.infer<typeof pauseReplies>;
