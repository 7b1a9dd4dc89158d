import * as z from "zod";
import { literal } from "../gateway/index.ts";
import { commandId } from "./command-id.ts";
import { defineKind, UnsendableError } from "./kind.ts";
import { replyTo } from "./reply-to.ts";

/** The largest file, bytes: the gateway takes no frame above 26 MB, and base64 adds a third. */
export const MAX_MEDIA_BYTES = 16_000_000;

/** Types that phones show as a picture or a film, or play as a voice message. */
const SHOWN = new Set(["image/jpeg", "image/png", "image/webp", "video/mp4", "audio/ogg"]);

const TYPES =
  "image/jpeg, image/png, image/webp, video/mp4, audio/ogg (Opus), or what is none of image, video and audio";
const mediaType = /^[a-z]{1,32}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

/** Of the others OpenClaw would have to make another file, or phones show nothing. */
function isSendable(type: string): boolean {
  return SHOWN.has(type) || (mediaType.test(type) && !/^(image|video|audio)\//.test(type));
}

/** Why this file can't be sent with this caption; null: it can. */
function refusalOf(type: string, text = ""): string | null {
  if (!isSendable(type)) return `the file's type must be ${TYPES}`;
  if (type.startsWith("audio/") && text !== "") return "a voice message has no caption: send a text after it";
  return null;
}

/** WhatsApp's own limit. */
const MAX_CAPTION_CHARACTERS = 1_024;

const caption = z
  .string()
  .max(MAX_CAPTION_CHARACTERS, `caption must not be longer than ${MAX_CAPTION_CHARACTERS} characters`)
  .regex(/\S/, "caption must not be empty")
  .describe("What stands below the file, character for character.");

const mimeType = z
  .string()
  .max(160)
  .toLowerCase()
  .regex(/^[^;]+$/, "mime_type must be a type without parameters, such as image/jpeg")
  .describe(`${TYPES}.`);

const fileName = z
  .string()
  .min(1)
  .max(255, "file_name must have at most 255 characters")
  .regex(/^[^/\\\p{Cc}]+$/u, "file_name must have no slash and no control character")
  .describe("What a document is called on the phone. OpenClaw turns blanks into underscores.");

const url = z
  .string()
  .max(2_048, "url must have at most 2048 characters")
  .refine((text) => isFileUrl(text), "url must be https, without a user name or password")
  .describe(
    `Where the bridge gets the file: https, at most ${MAX_MEDIA_BYTES} bytes within 30 s. No address of a private network, also after up to 3 redirects.`,
  );

function isFileUrl(text: string): boolean {
  const parsed = URL.parse(text);
  return parsed?.protocol === "https:" && parsed.username === "" && parsed.password === "";
}

const schema = z
  .looseObject({
    command_id: commandId,
    type: z.literal("send_media"),
    url: url.optional(),
    data_base64: z
      .base64("data_base64 must be base64")
      .min(1, "data_base64 must not be empty")
      .optional()
      .describe(
        "The file itself, instead of `url`: one of both must be there. With it, `mime_type` must be there too. The whole answer has at most 1 MiB.",
      ),
    mime_type: mimeType.optional(),
    file_name: fileName.optional(),
    caption: caption.optional(),
    reply_to: replyTo,
  })
  .superRefine((command, ctx) => {
    const refuse = (message: string) => ctx.addIssue({ code: "custom", message });
    if ((command.url === undefined) === (command.data_base64 === undefined))
      return refuse("one of url and data_base64 must be there, and not both");
    if (command.mime_type === undefined)
      return command.url === undefined ? refuse("mime_type must be there with data_base64") : undefined;
    const refusal = refusalOf(command.mime_type, command.caption);
    if (refusal !== null) refuse(refusal);
  })
  .describe("Send a file into the chat that the message came from.");

/** What is kept besides caption and bytes. */
const stored = z.object({
  url: url.optional(),
  mime_type: mimeType.optional(),
  file_name: fileName.optional(),
  reply_to: replyTo,
});

export const sendMedia = defineKind({
  title: "SendMedia",
  extra: "send_media",
  isObserved: true,
  schema,
  record({ type, url, data_base64, mime_type, file_name, caption: text = "", reply_to }) {
    const details = JSON.stringify({ url, mime_type, file_name, reply_to });
    return {
      text,
      details,
      file: data_base64 === undefined ? null : Buffer.from(data_base64, "base64"),
      payload: JSON.stringify([type, text, details, data_base64]),
    };
  },
  sourceOf({ details }) {
    const { url } = stored.parse(JSON.parse(details ?? ""));
    return url === undefined ? null : new URL(url);
  },
  call({ text, details }, file) {
    const { mime_type, file_name, reply_to: replyToId } = stored.parse(JSON.parse(details ?? ""));
    if (!file) throw new Error("its file is not there");
    const contentType = mime_type ?? file.type;
    // What a URL leads to is known only now.
    const refusal = refusalOf(contentType, text);
    if (refusal !== null) throw new UnsendableError(refusal);
    return {
      method: "send",
      params: {
        ...(text !== "" && { message: literal(text) }),
        buffer: file.bytes.toString("base64"),
        contentType,
        ...(file_name !== undefined && { filename: file_name }),
        ...(replyToId !== undefined && { replyToId }),
      },
    };
  },
});
