import { type ApiParts, runningOf } from "../running.ts";

/** Before the words are given: nobody reads them whose name can't be written down. */
export function noteLook(parts: ApiParts, kind: "message" | "command", subject: number, who: string): Promise<void> {
  return runningOf(parts).store.note({ who, action: "read the text", kind, subject, result: "done" });
}
