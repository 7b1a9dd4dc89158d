// Made from the zod schemas by test/contract/generated.test.ts: do not edit.

/**
 * A customer's message.
 */
export interface InboundRequest {
  /**
   * WhatsApp's id of the message, and the idempotency key.
   */
  message_id: string;
  /**
   * Where it was written: E.164 for a direct chat, `...@g.us` for a group.
   */
  chat_id: string;
  /**
   * Who wrote it, E.164.
   */
  from: string;
  /**
   * The text or caption as it was written; empty where there is none.
   */
  text: string;
  /**
   * Attachments, in order.
   */
  media: Attachment[];
  /**
   * When WhatsApp got it, ISO 8601 in UTC.
   */
  timestamp: string;
  /**
   * What else OpenClaw knows of the message, in OpenClaw's words.
   */
  raw: {
    [k: string]: unknown;
  };
  /**
   * The WhatsApp account that it came by: `whatsapp:<account>`.
   */
  transport_session_id: string;
}
/**
 * An attachment, with its bytes or with the reason why they are missing.
 */
export interface Attachment {
  /**
   * What kind of file it is.
   */
  type: "image" | "video" | "audio" | "document" | "sticker" | "unknown";
  /**
   * Its media type, as WhatsApp says it; null where it does not.
   */
  mime_type: string | null;
  /**
   * Its name, which the sender chose; null where it has none.
   */
  file_name: string | null;
  /**
   * Bytes of the file; null where nobody knows.
   */
  size_bytes: number | null;
  /**
   * SHA-256 of the file's bytes, in lower-case hex.
   */
  sha256: string | null;
  /**
   * The file's bytes. Either this or `omitted` is there.
   */
  data_base64?: string;
  /**
   * Why there are no bytes: a sentence for people.
   */
  omitted?: string;
}

export type Command = SendText | PauseChat | ResumeChat | SendMedia | React;

/**
 * What Hot Bags answers with a 2xx. No commands: there is nothing to do.
 */
export interface Answer {
  /**
   * Run in this order, in the chat that the message came from.
   *
   * @maxItems 100
   */
  commands?: Command[];
}
/**
 * Send a text into the chat that the message came from.
 */
export interface SendText {
  /**
   * The command's own id: what has one that was seen before is not done again.
   */
  command_id: string | number;
  type: "send_text";
  /**
   * What the customer gets, character for character.
   */
  text: string;
  /**
   * The `message_id` of the message in the same chat that the phone shows above it as quoted. One that OpenClaw does not remember (it keeps 500 for 10 minutes, in memory) is not quoted, and the reply goes out all the same. Only where `X-HotBags-Accept` has `reply_to`; else it is ignored.
   */
  reply_to?: string;
}
/**
 * Let no reply out in this chat for a while, because somebody else answers there.
 */
export interface PauseChat {
  /**
   * The command's own id: what has one that was seen before is not done again.
   */
  command_id: string | number;
  type: "pause_chat";
  /**
   * How long, from when the bridge has the answer on.
   */
  for_seconds: number;
  /**
   * What becomes of the replies that are given meanwhile: they wait, or are never sent.
   */
  replies?: "hold" | "skip";
}
/**
 * End what `pause_chat` began.
 */
export interface ResumeChat {
  /**
   * The command's own id: what has one that was seen before is not done again.
   */
  command_id: string | number;
  type: "resume_chat";
}
/**
 * Send a file into the chat that the message came from.
 */
export interface SendMedia {
  /**
   * The command's own id: what has one that was seen before is not done again.
   */
  command_id: string | number;
  type: "send_media";
  /**
   * Where the bridge gets the file: https, at most 16000000 bytes within 30 s. No address of a private network, also after up to 3 redirects.
   */
  url?: string;
  /**
   * The file itself, instead of `url`: one of both must be there. With it, `mime_type` must be there too. The whole answer has at most 1 MiB.
   */
  data_base64?: string;
  /**
   * image/jpeg, image/png, image/webp, video/mp4, audio/ogg (Opus), or what is none of image, video and audio.
   */
  mime_type?: string;
  /**
   * What a document is called on the phone. OpenClaw turns blanks into underscores.
   */
  file_name?: string;
  /**
   * What stands below the file, character for character.
   */
  caption?: string;
  /**
   * The `message_id` of the message in the same chat that the phone shows above it as quoted. One that OpenClaw does not remember (it keeps 500 for 10 minutes, in memory) is not quoted, and the reply goes out all the same. Only where `X-HotBags-Accept` has `reply_to`; else it is ignored.
   */
  reply_to?: string;
}
/**
 * Put an emoji on a message of the customer. In direct chats only.
 */
export interface React {
  /**
   * The command's own id: what has one that was seen before is not done again.
   */
  command_id: string | number;
  type: "react";
  /**
   * One emoji, in place of an earlier one; `""` takes it back.
   */
  emoji: string;
  /**
   * Which message of the customer's in the same chat. Default: the one that is answered.
   */
  message_id?: string;
}

/**
 * What has become of a command.
 */
export interface DeliveryReport {
  /**
   * The report's own id, and the idempotency key.
   */
  report_id: string;
  /**
   * Which command.
   */
  command_id: string;
  /**
   * The message in whose answer it was; null: that can't be read.
   */
  message_id: string | null;
  /**
   * The chat of that message: E.164 for a direct chat, `...@g.us` for a group.
   */
  chat_id: string;
  /**
   * sent: WhatsApp has it. failed: it was not sent, and never will be. skipped: the same, as it was asked for. in_doubt: nobody knows whether it was sent. resolved: what was in doubt is known; see outcome.
   */
  state: "sent" | "failed" | "skipped" | "in_doubt" | "resolved";
  /**
   * Of resolved: how it ended; pending: it is still to be sent, and another report follows. Else null.
   */
  outcome: ("sent" | "failed" | "pending") | null;
  /**
   * Of in_doubt: a part of the text is on the phone, and no more of it comes.
   */
  is_partial: boolean;
  /**
   * WhatsApp's id of what was sent; null where it is not known.
   */
  whatsapp_message_id: string | null;
  /**
   * Why it is not sent, or in doubt: a sentence for people.
   */
  reason: string | null;
  /**
   * When it became so, ISO 8601 in UTC.
   */
  timestamp: string;
  /**
   * The WhatsApp account that it came by: `whatsapp:<account>`.
   */
  transport_session_id: string;
}

/**
 * Something has happened to the bridge.
 */
export interface BridgeEvent {
  /**
   * The event's own id, and the idempotency key.
   */
  event_id: string;
  /**
   * downtime: WhatsApp was away for so long that messages may be missing. relink_needed: the account is logged out or taken over, and nothing goes in or out until somebody links it again. relinked: somebody has.
   */
  type: "downtime" | "relink_needed" | "relinked";
  /**
   * Since when, ISO 8601 in UTC; null: that is not known, for the machine's clock was set back.
   */
  from: string | null;
  /**
   * Until when; null: it lasts.
   */
  to: string | null;
  /**
   * Of relink_needed and relinked: logged out, or taken over by another session. Else null.
   */
  cause: ("logged_out" | "replaced") | null;
  /**
   * When it was noticed, ISO 8601 in UTC.
   */
  timestamp: string;
  /**
   * The WhatsApp account that it came by: `whatsapp:<account>`.
   */
  transport_session_id: string;
}
