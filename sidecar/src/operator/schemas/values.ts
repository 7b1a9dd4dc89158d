import { accountId, chatId } from "@hotbags/shared";
import * as z from "zod";

/** Rows of a list in one answer, at most. */
export const MAX_LIMIT = 500;

/** Rows of a list where nobody says how many. */
export const DEFAULT_LIMIT = 50;

export const time = z.iso.datetime({ offset: true });
export const id = z.int().positive().max(Number.MAX_SAFE_INTEGER);

/** A number in a path or a query. */
export const numeral = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((number) => number >= least && number <= most, `must be a whole number from ${least} to ${most}`);

export const idNumeral = numeral(1, Number.MAX_SAFE_INTEGER);

/** `dead,discarded`. */
export const listOf = <const Names extends readonly string[]>(names: Names) =>
  z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(names, `must be some of ${names.join(", ")}, separated by commas`)));

/** Which rows of a list. */
export const page = {
  limit: numeral(1, MAX_LIMIT).optional(),
  before: idNumeral.optional(),
};

export const filter = {
  ...page,
  account_id: accountId.optional(),
  chat: chatId.optional(),
  since: time.optional(),
};

/** A switch in a query. */
export const flag = z.enum(["true", "false"], "must be true or false").optional();

/** Where the next page begins `before`; null: this was the last. */
export const next = id.nullable();

/** What stands between them, and can't be read: the numbers of what may belong into the list. */
export const unreadable = z.array(id);

export const chat = { account_id: accountId, chat_id: chatId };

export const repaired = z.object({ id, done: z.boolean(), reason: z.string().nullable() });
