import type { Message } from "../../sidecar/src/contract/mock/request.ts";
import { excerpt } from "../excerpt.ts";

const DEFAULT_TIMEOUT_MS = 10_000;
/** Of what came and was not waited for, a failure shows the last. */
const SHOWN_MESSAGES = 20;

/** A message's text, or what must be true of the message. */
export type Wanted = string | ((message: Message) => boolean);

type Waiter = { matches: (message: Message) => boolean; resolve: (message: Message) => void };

/** Accepted messages in order of arrival, each handed out once. */
export type Arrivals = {
  add(message: Message): void;
  /** The first message that matches and was not handed out yet, now or within `timeoutMs` (default 10 s); else rejects. */
  receives(wanted?: Wanted, options?: { timeoutMs?: number }): Promise<Message>;
};

export function createArrivals(): Arrivals {
  const waiting: Message[] = [];
  const waiters = new Set<Waiter>();

  const describe = (): string => {
    if (waiting.length === 0) return "nothing did";
    const last = waiting.slice(-SHOWN_MESSAGES).map((message) => `${message.chat_id} ${excerpt(message.text)}`);
    const omitted = waiting.length > SHOWN_MESSAGES ? `${waiting.length - SHOWN_MESSAGES} others, ` : "";
    return `these did: ${omitted}${last.join(", ")}`;
  };

  return {
    add(message) {
      for (const waiter of waiters) {
        if (!waiter.matches(message)) continue;
        waiters.delete(waiter);
        waiter.resolve(message);
        return;
      }
      waiting.push(message);
    },
    receives(wanted, { timeoutMs = DEFAULT_TIMEOUT_MS } = {}) {
      const matches = matcher(wanted);
      const index = waiting.findIndex(matches);
      const [found] = index < 0 ? [] : waiting.splice(index, 1);
      if (found !== undefined) return Promise.resolve(found);

      const { promise, resolve, reject } = Promise.withResolvers<Message>();
      const waiter: Waiter = { matches, resolve };
      waiters.add(waiter);
      const timer = setTimeout(() => {
        waiters.delete(waiter);
        const what = typeof wanted === "string" ? excerpt(wanted) : "the wanted message";
        reject(new Error(`Hot Bags did not receive ${what} within ${timeoutMs} ms; ${describe()}`));
      }, timeoutMs);
      return promise.finally(() => clearTimeout(timer));
    },
  };
}

function matcher(wanted: Wanted | undefined): (message: Message) => boolean {
  if (wanted === undefined) return () => true;
  return typeof wanted === "string" ? (message) => message.text === wanted : wanted;
}
