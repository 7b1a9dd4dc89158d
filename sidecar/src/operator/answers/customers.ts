import { type ApiParts, runningOf } from "../running.ts";
import type { customerRoutes } from "../schemas/customers.ts";
import type { Answers } from "./answer.ts";

export function customerAnswers(parts: ApiParts): Answers<keyof typeof customerRoutes> {
  return {
    forget: async (
      { number, after = 0, left = 0, forgotten = 0, including_waiting = false, dry_run = false },
      _id,
      who,
    ) => {
      if (dry_run) {
        const counted = await parts.reads.find(number, after);
        return { ...counted, forgotten: 0, left: 0, number_gone: false, log_cleared: false };
      }
      const { store, onRetry, onResolved } = runningOf(parts);
      const request = { number, after, left, forgotten, includingWaiting: including_waiting };
      const { isNumberGone, isLogCleared, chats, resolved, ...erased } = await store.forget(request, who);
      // Their lanes look again, and find nothing.
      for (const chat of new Set(chats)) onRetry(chat);
      for (const { id, chat } of resolved) onResolved(id, chat);
      return { ...erased, number_gone: isNumberGone, log_cleared: isLogCleared };
    },
  };
}
