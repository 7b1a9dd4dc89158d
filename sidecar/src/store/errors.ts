/** The store can't be used as it is; the message says why and what the operator can do. `hotbags serve` ends with it. */
export class StoreUnusableError extends Error {
  override readonly name = "StoreUnusableError";
}
