import { keyOfId, MAX_ID_LENGTH } from "@hotbags/shared";
import * as z from "zod";

const NUMERIC_ID =
  `as a number it must be a whole one from 1 to ${Number.MAX_SAFE_INTEGER}, in digits alone; ` +
  "send any other id as a string";

/** What every command has. */
export const commandId = z
  .string({ error: ({ input }) => (typeof input === "number" ? NUMERIC_ID : undefined) })
  .min(1, "command_id must not be empty")
  .max(MAX_ID_LENGTH)
  .describe("The command's own id: what has one that was seen before is not done again.")
  .transform(keyOfId);
