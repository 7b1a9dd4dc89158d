const PASSING = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR"]);

/** This process has too much open or in use at the moment: that says nothing about the file. */
export function isPassing(error: unknown): boolean {
  return PASSING.has(codeOf(error));
}

/** `ENOENT` and the like: a file's name, which Node's message holds, is the customer's. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : "unknown");
}
