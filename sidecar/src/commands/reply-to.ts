import { MAX_ID_LENGTH } from "@hotbags/shared";
import * as z from "zod";

const REPLY_TO = `reply_to must be a message_id of 1 to ${MAX_ID_LENGTH} characters`;

/** The message that a reply quotes. */
export const replyTo = z
  .string(REPLY_TO)
  .min(1, REPLY_TO)
  .max(MAX_ID_LENGTH, REPLY_TO)
  .optional()
  .describe(
    "The `message_id` of the message in the same chat that the phone shows above it as quoted. One that OpenClaw does not remember (it keeps 500 for 10 minutes, in memory) is not quoted, and the reply goes out all the same. Only where `X-HotBags-Accept` has `reply_to`; else it is ignored.",
  );
