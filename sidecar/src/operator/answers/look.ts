import { type ApiParts, runningOf } from "../running.ts";

/** Before anything is given: nobody reads or sees it whose name can't be written down. */
export function noteLook(
  parts: ApiParts,
  kind: "message" | "command" | "chat",
  subject: number,
  who: string,
  action = "read the text",
): Promise<void> {
  return runningOf(parts).store.note({ who, action, kind, subject, result: "done" });
}
