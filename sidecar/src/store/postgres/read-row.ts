import { isDamage, RowUnreadableError } from "../errors.ts";

/**
 * What `read` gives. Where a page is damaged, `find` names the row by what else can be read, and the error is a
 * RowUnreadableError of it.
 */
export async function readRow<T>(
  what: string,
  read: () => Promise<T>,
  find: () => Promise<number | undefined>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isDamage(error)) throw error;
    const row = await find().catch(() => undefined);
    throw row === undefined ? error : new RowUnreadableError(what, row, error);
  }
}
