import { createHash } from "node:crypto";
import type { RequestBody } from "@hotbags/shared";

/** Strings of `raw` that are words of OpenClaw's, and name a kind of thing. */
const KINDS = new Set(["ChatType", "Provider", "LocationSource", "type", "mime_type", "MediaType", "kind"]);

/** When every example was written. */
const SOME_DAY = "2026-01-05T10:00:00.000Z";

/**
 * The same message without anything of a person: numbers are others (a number is the same wherever it stands), each
 * letter is an x and each digit a 0, files are as many zero bytes. What stays is what a backend can fail by: lengths,
 * line ends, emoji, marks, which fields there are, sizes and types.
 */
export function anonymise(message: RequestBody): RequestBody {
  const { message_id, chat_id, from, text, media, raw, transport_session_id } = message;
  const numbers = new Map<string, string>();
  const numberFor = (real: string): string => {
    const known = numbers.get(real);
    if (known !== undefined) return known;
    const n = String(numbers.size % 100).padStart(2, "0");
    const made = real.endsWith("@g.us") ? `1203630000000000${n}@g.us` : `+120255501${n}`;
    numbers.set(real, made);
    return made;
  };
  const own = new Map([
    [message_id, "3A000000000000000000"],
    [chat_id, numberFor(chat_id)],
    [from, numberFor(from)],
  ]);
  const value = (given: unknown, key: string): unknown => {
    if (typeof given === "string") {
      if (KINDS.has(key) && /^[\w.+/; =-]{1,64}$/.test(given)) return given;
      return own.get(given) ?? (/^\+[1-9]\d{6,14}$/.test(given) ? numberFor(given) : shapeOf(given));
    }
    if (typeof given === "number") return Number(String(given).replace(/\d/g, "1"));
    if (Array.isArray(given)) return given.map((one) => value(one, key));
    if (typeof given !== "object" || given === null) return given;
    return Object.fromEntries(Object.entries(given).map(([name, one]) => [nameOf(name), value(one, name)]));
  };
  return {
    message_id: own.get(message_id) ?? "",
    chat_id: numberFor(chat_id),
    from: numberFor(from),
    text: shapeOf(text),
    media: media.map(anonymousItem),
    timestamp: SOME_DAY,
    raw: value(raw, "") as RequestBody["raw"],
    transport_session_id: transport_session_id.startsWith("whatsapp:") ? "whatsapp:default" : "",
  };
}

/** `Xxxx 00!` for `Anna 42!`. */
function shapeOf(text: string): string {
  return text
    .replace(/\p{Lu}/gu, "X")
    .replace(/(?!X)\p{L}/gu, "x")
    .replace(/\p{N}/gu, "0");
}

/** Names of fields are OpenClaw's: what looks like none may be somebody's number. */
function nameOf(name: string): string {
  return /^(?!.*\d{4})[a-z_]\w{0,39}$/i.test(name) ? name : shapeOf(name);
}

function anonymousItem(item: RequestBody["media"][number]): RequestBody["media"][number] {
  const { file_name, data_base64, sha256, size_bytes } = item;
  const name = file_name === null ? null : anonymousName(file_name);
  if (data_base64 === undefined)
    return { ...item, file_name: name, sha256: sha256 === null ? null : "0".repeat(sha256.length) };
  const bytes = Buffer.alloc(size_bytes ?? 0);
  return {
    ...{ ...item, file_name: name, data_base64: bytes.toString("base64") },
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}

/** With its ending, if that is one as programs give them. */
function anonymousName(name: string): string {
  const [ending = ""] = /\.[a-z0-9]{1,5}$/i.exec(name) ?? [];
  return shapeOf(name.slice(0, name.length - ending.length)) + ending;
}
