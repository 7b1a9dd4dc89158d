/** The system's, SQLite's or a library's code of an error, such as `ENOSPC`; empty when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The process or the machine is short of something for a moment: this says nothing about the file that was asked for. */
const SHORTAGES = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR"]);

/** Whether an error comes from a shortage that passes by itself, so that the same may be tried again. */
export function isShortage(error: unknown): boolean {
  return SHORTAGES.has(codeOf(error));
}
