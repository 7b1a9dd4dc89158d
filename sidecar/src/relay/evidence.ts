/**
 * Whose fault a failure is, by all that is known when it happens:
 * - `deployment`: different messages fail and none passes.
 * - `message`: this one fails while others pass.
 * - `alone`: this one fails again and again, and no other one passed or failed meanwhile.
 * - `unknown`: nothing yet.
 */
export type Finding = "deployment" | "message" | "alone" | "unknown";

/** So many different messages must fail, and none pass, before it is the deployment's. */
const DIFFERENT = 2;

/** What a kind of failure says (see Rule). */
interface Weight {
  scope: "certain" | "maybe" | "nothing";
  patience: number;
}

/** A message that has failed and not passed since. */
interface Standing {
  /** In a row, without any other passing in between. */
  failures: number;
  /** How often it has failed again after others had passed. */
  compared: number;
  /** Passes of all messages when it failed last. */
  passes: number;
  /** One behind it in its chat has passed since: the next failure tells. */
  isSuspect: boolean;
}

/**
 * What was seen of Hot Bags, over several messages. A status alone says little: a firewall's 403 to one customer's
 * words and a wrong token look the same, and so do a deleted deployment and a route that one message can't find. What
 * hits different messages without a success in between is the deployment's; what hits one while others pass is that
 * message's. Holds an entry for each message that fails and is not settled. Knows no time, so that it can be tested
 * by any order of events.
 */
export class Evidence {
  #passes = 0;
  readonly #failing = new Map<number, Standing>();
  /** Messages that have failed since one passed, each with its chat. */
  readonly #against = new Map<number, number>();

  /** To be handed to `failed` of a POST that begins now. */
  get passes(): number {
    return this.#passes;
  }

  /** How many different messages have failed since one passed. */
  get against(): number {
    return this.#against.size;
  }

  /** These are all of one chat: what they fail by may be in that chat alone. */
  get isAgainstOneChat(): boolean {
    return new Set(this.#against.values()).size === 1;
  }

  /** The message has failed, and not passed since: asking with it tells less than with another one. */
  isFailing(seq: number): boolean {
    return this.#failing.has(seq);
  }

  passed(seq: number): void {
    this.#passes += 1;
    this.#failing.delete(seq);
    this.#against.clear();
  }

  /** Different messages have failed, and none has passed since. */
  get isAgainstAll(): boolean {
    return this.#against.size >= DIFFERENT;
  }

  /**
   * `begun`: the passes when the POST began. `isAside`: the message was found at fault before, so that it says nothing
   * of others any more. `chat`: the message's own, where nobody says it another one.
   */
  failed(seq: number, { scope, patience }: Weight, begun: number, isAside: boolean, chat = seq): Finding {
    if (scope === "certain") {
      this.#against.set(seq, chat);
      return "deployment";
    }
    if (isAside) return this.isAgainstAll ? "deployment" : "message";
    const { failures, compared, isCompared, isSuspect } = this.#count(seq);
    // Also while others fail: two messages at fault would vouch for each other, and neither ever be found.
    if (isCompared && (compared >= patience || (isSuspect && Number.isFinite(patience)))) return "message";
    // What fails while others pass on the way says nothing against the deployment: it is slow, or was overtaken.
    if (scope === "maybe" && this.#passes === begun) this.#against.set(seq, chat);
    if (this.isAgainstAll) return "deployment";
    return failures > patience ? "alone" : "unknown";
  }

  /**
   * The message behind this one has passed right after it had failed again. Either it is at fault, or Hot Bags was mended in
   * between: asked once more, it tells which.
   */
  suspect(seq: number): void {
    const standing = this.#failing.get(seq);
    if (standing) standing.isSuspect = true;
  }

  /** The message is settled, or has left its lane. */
  forget(seq: number): void {
    this.#failing.delete(seq);
    this.#against.delete(seq);
  }

  #count(seq: number): Standing & { isCompared: boolean } {
    const before = this.#failing.get(seq);
    const isCompared = before !== undefined && this.#passes > before.passes;
    const standing = {
      failures: before === undefined || isCompared ? 1 : before.failures + 1,
      compared: (before?.compared ?? 0) + (isCompared ? 1 : 0),
      passes: this.#passes,
      isSuspect: before?.isSuspect ?? false,
    };
    this.#failing.set(seq, standing);
    return { ...standing, isCompared };
  }
}
