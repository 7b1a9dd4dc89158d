import * as z from "zod";
import { chatId } from "./address.ts";
import { transportSession } from "./request.ts";

/** Where Hot Bags mostly takes delivery reports, below `HOTBAGS_BASE_URL`. */
export const REPORTS_PATH = "/api/integrations/whatsapp/reports";

/** And events. */
export const EVENTS_PATH = "/api/integrations/whatsapp/events";

/** The body of a delivery report: what has become of one command. */
export const deliveryReport = z
  .strictObject({
    report_id: z.uuid().describe("The report's own id, and the idempotency key."),
    command_id: z.string().min(1).describe("Which command."),
    message_id: z
      .string()
      .min(1)
      .nullable()
      .describe("The message in whose answer it was; null: it was in the outbox, or that can't be read."),
    chat_id: chatId
      .nullable()
      .describe(
        "Its chat: E.164 for a direct chat, `...@g.us` for a group. Null: it was in the outbox, and its `to` names none.",
      ),
    state: z
      .enum(["sent", "failed", "skipped", "in_doubt", "resolved"])
      .describe(
        "sent: WhatsApp has it. failed: it was not sent, and never will be. skipped: the same, as it was asked for. in_doubt: nobody knows whether it was sent. resolved: what was in doubt is known; see outcome.",
      ),
    outcome: z
      .enum(["sent", "failed", "pending"])
      .nullable()
      .describe("Of resolved: how it ended; pending: it is still to be sent, and another report follows. Else null."),
    is_partial: z.boolean().describe("Of in_doubt: a part of the text is on the phone, and no more of it comes."),
    whatsapp_message_id: z.string().nullable().describe("WhatsApp's id of what was sent; null where it is not known."),
    reason: z.string().nullable().describe("Why it is not sent, or in doubt: a sentence for people."),
    timestamp: z.iso.datetime({ precision: 3 }).describe("When it became so, ISO 8601 in UTC."),
    transport_session_id: transportSession,
  })
  .describe("What has become of a command.");
export type DeliveryReport = z.infer<typeof deliveryReport>;

/** The body of an event: something has happened to the bridge. */
export const bridgeEvent = z
  .strictObject({
    event_id: z.uuid().describe("The event's own id, and the idempotency key."),
    type: z
      .enum(["downtime", "relink_needed", "relinked"])
      .describe(
        "downtime: WhatsApp was away for so long that messages may be missing. relink_needed: the account is logged out or taken over, and nothing goes in or out until somebody links it again. relinked: somebody has.",
      ),
    from: z.iso
      .datetime({ precision: 3 })
      .nullable()
      .describe("Since when, ISO 8601 in UTC; null: that is not known, for the machine's clock was set back."),
    to: z.iso.datetime({ precision: 3 }).nullable().describe("Until when; null: it lasts."),
    cause: z
      .enum(["logged_out", "replaced"])
      .nullable()
      .describe("Of relink_needed and relinked: logged out, or taken over by another session. Else null."),
    timestamp: z.iso.datetime({ precision: 3 }).describe("When it was noticed, ISO 8601 in UTC."),
    transport_session_id: transportSession,
  })
  .describe("Something has happened to the bridge.");
export type BridgeEvent = z.infer<typeof bridgeEvent>;
