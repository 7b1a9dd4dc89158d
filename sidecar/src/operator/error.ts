import { codeOf } from "@hotbags/shared";
import { isDamage, RESTORE, StoreAwayError, StoreUnwritableError } from "../store/index.ts";

/** An answer that is not the one asked for. `status`: HTTP's. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Throws OperatorError for what is wrong with the store, else what it was given. */
export function explain(error: unknown): never {
  if (error instanceof StoreUnwritableError) throw new OperatorError(503, error.message);
  if (error instanceof StoreAwayError) throw new OperatorError(503, `${error.message}: hotbags status says more`);
  if (isDamage(error))
    throw new OperatorError(
      503,
      `a page of the database that this needs can't be read (${codeOf(error)}): hotbags doctor says what is damaged. ${RESTORE}`,
    );
  throw error;
}
