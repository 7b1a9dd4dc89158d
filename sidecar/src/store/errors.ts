/** The store can't be used as it is; the message says why and what the operator can do. `hotbags serve` ends with it. */
export class StoreUnusableError extends Error {
  override readonly name = "StoreUnusableError";
}

/** The system's or SQLite's code of an error; empty when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
