import { StoreUnusableError } from "../errors.ts";
import { isDisconnection, isOwnFault, wordsOf } from "./faults.ts";

/** What is in the way of using the database, with what to do. */
export function unusable(error: unknown): Error {
  if (error instanceof StoreUnusableError) return error;
  return new StoreUnusableError(`the database can't be used: ${wordsOf(error)}.`, {
    passes: isDisconnection(error) || !isOwnFault(error),
  });
}
