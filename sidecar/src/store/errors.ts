/** The store can't be used as it is; the message says why and what the operator can do. `hotbags serve` ends with it. */
export class StoreUnusableError extends Error {
  override readonly name = "StoreUnusableError";
}

/** A file that a new message counts on is not here: it has to come again, before the message does. */
export class FileMissingError extends Error {
  override readonly name = "FileMissingError";
}
