import { maskAddress, shownId } from "@hotbags/shared";

/** What was said, and is shown to somebody whose name is in the audit: it has no other numbers than those that were said. */
const CONTENT = new Set(["request", "response", "details"]);

/** Whoever makes an id can put a number into it; it is still found by the whole of it. */
const IDS = new Set(["message_id", "command_id"]);

/** An answer without customers' numbers: `GET /chats/:id/number` gives one, to somebody whose name is in the audit. */
export function masked(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(masked);
  if (typeof answer !== "object" || answer === null) return answer;
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => {
      if (name === "chat_id" && typeof value === "string") return [name, maskAddress(value)];
      if (IDS.has(name) && typeof value === "string") return [name, shownId(value)];
      return [name, CONTENT.has(name) ? value : masked(value)];
    }),
  );
}
