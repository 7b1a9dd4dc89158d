/** The store can't be used as it is; the message says why and what the operator can do. `hotbags serve` ends with it. */
export class StoreUnusableError extends Error {
  override readonly name = "StoreUnusableError";
}

/** Nothing can be written now; what was to be is not. It can be tried again when the outage is over. */
export class StoreUnwritableError extends Error {
  override readonly name = "StoreUnwritableError";

  /** `failure`: what could not be written, and why. */
  constructor(failure: string, options?: ErrorOptions) {
    super(`the database can't be written: ${failure}`, options);
  }
}

/** A file that a new message counts on is not here: it has to come again, before the message does. */
export class FileMissingError extends Error {
  override readonly name = "FileMissingError";
}
