import { failpoint, maskAddress, transportSessionId } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { PendingMessage, SharedStore } from "../store/index.ts";
import { Body, findLost } from "./body.ts";
import type { HotBags } from "./hotbags.ts";
import type { Attempt, Judge, Turn } from "./judge.ts";
import type { Outcome } from "./outcome.ts";

/** A message that was POSTed, and what came of it. The judge has not heard of it yet. */
export interface Posted {
  message: PendingMessage;
  outcome: Outcome;
  attempt: Attempt;
  /** How long the POST took, ms. */
  durationMs: number;
  log: Logger;
}

interface PosterParts {
  store: SharedStore;
  hotbags: HotBags;
  judge: Judge;
  clock: Clock;
  log: Logger;
  /** Told of a probe that came to no POST: another message may be it. */
  onForgone(): void;
}

/** POSTs a message on the terms that the judge gives, with the body that can be sent. */
export class Poster {
  readonly #parts: PosterParts;

  constructor(parts: PosterParts) {
    this.#parts = parts;
  }

  /**
   * One POST of the message that `read` gives. `nothing`: there was none. `sits out`: it would tell nothing new, and waits;
   * if it was to be the probe, the judge is still to be told.
   * Throws when the store fails, and what `read` rejects with. While that is under way others may pass or fail: the judge is
   * asked afterwards, by what is known then.
   */
  async post(
    read: () => Promise<PendingMessage | undefined>,
    isDetached: boolean,
    turn: Turn,
  ): Promise<Posted | "nothing" | "sits out"> {
    const { store, hotbags, clock, judge, onForgone } = this.#parts;
    let attempt: Attempt | null = null;
    let isOver = false;
    try {
      const next = await read();
      if (!next) return "nothing";
      attempt = judge.begin(next, isDetached, turn);
      if (!attempt) {
        isOver = true;
        return "sits out";
      }
      const log = this.logOf(next);
      const message = await this.#withoutLostFiles(next, log);
      failpoint("post:before");
      const begun = clock.uptimeMs();
      const outcome = await hotbags.post(message, new Body(message, store.files));
      failpoint("post:after");
      isOver = true;
      return { message, outcome, attempt, durationMs: Math.round(clock.uptimeMs() - begun), log };
    } finally {
      if (!isOver) {
        if (attempt) judge.cancel(attempt);
        else if (turn === "probe") judge.forgo();
        if (turn === "probe") onForgone();
      }
    }
  }

  /** The log with what each line about a message says of it. */
  logOf({ account_id, message_id, chat_id }: PendingMessage): Logger {
    const transport_session_id = transportSessionId(account_id);
    return this.#parts.log.child({ transport_session_id, message_id, chat: maskAddress(chat_id) });
  }

  /** What can't be read any more is left out of the body for good, and that is on disk before it is sent. */
  async #withoutLostFiles(message: PendingMessage, log: Logger): Promise<PendingMessage> {
    const { store } = this.#parts;
    const lost = await findLost(message.inlined, store.files);
    if (lost.length === 0) return message;
    const positions = lost.map(({ position }) => position);
    log.error({ alarm: true, media: positions }, "files were lost: the message goes without their bytes");
    return store.messages.filesLost(message, lost);
  }
}
