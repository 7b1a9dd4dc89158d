import { codeOf } from "@hotbags/shared";
import { type Repaired, StoreUnwritableError } from "../../store/index.ts";

/**
 * One after the other, in their order: messages of one chat go in it. One that fails, as for a damaged page, is not the
 * others'. `onDone`: told of each chat once, when all of them are through.
 */
export async function each(ids: number[], repair: (id: number) => Promise<Repaired>, onDone: (chat: number) => void) {
  const results = [];
  const chats = new Set<number>();
  for (const id of ids) {
    const repaired = await repair(id).catch(notRepaired);
    if (repaired.done) chats.add(repaired.chat);
    results.push(showRepaired(id, repaired));
  }
  for (const chat of chats) onDone(chat);
  return results;
}

function notRepaired(error: unknown): Repaired {
  const why = error instanceof StoreUnwritableError ? error.message : codeOf(error) || "see the sidecar's log";
  return { done: false, found: true, reason: `it could not be written (${why})` };
}

export function showRepaired(id: number, repaired: Repaired) {
  return { id, done: repaired.done, reason: repaired.done ? null : repaired.reason };
}
