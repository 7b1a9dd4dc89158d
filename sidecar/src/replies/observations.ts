/** A text that the gateway reported as sent. Times are wall-clock ms. */
export interface Observation {
  accountId: string;
  chatId: string;
  textSha256: string;
  whatsappMessageId: string | null;
  at: number;
}

/** How many observations, and ids of known sends, are remembered. A doubt is looked into within seconds; this is minutes at the gateway's top speed. */
const MEMORY = 1_000;

/** The gateway's and our own idea of now may differ by this much, ms: they share a machine, but not a moment. */
const CLOCK_SLACK_MS = 2_000;

/**
 * What the gateway was seen to send and no answer has accounted for yet. Such an observation proves one reply whose answer was lost. It is kept in memory only:
 * the plugin tells later what it could not tell while the sidecar was away.
 */
export class Observations {
  readonly #known = new Set<string>();
  #unclaimed: Observation[] = [];

  /** WhatsApp ids of replies that are on record as sent; their observations may still come. */
  know(ids: Iterable<string>): void {
    for (const id of ids) this.#know(id);
  }

  add(observation: Observation): void {
    const id = observation.whatsappMessageId;
    // Without an id nobody can say whose it is: two replies of the same words would prove each other.
    if (id === null || this.#known.has(id)) return;
    this.#unclaimed.push(observation);
    if (this.#unclaimed.length > MEMORY) this.#unclaimed.shift();
  }

  /** A reply was answered for with this id: its observation proves no other one. */
  account(whatsappMessageId: string | null): void {
    if (whatsappMessageId === null) return;
    this.#know(whatsappMessageId);
    this.#unclaimed = this.#unclaimed.filter((observation) => observation.whatsappMessageId !== whatsappMessageId);
  }

  /** Takes the observation that proves this reply; undefined when there is none. It proves nothing else from then on. */
  claim(reply: Omit<Observation, "whatsappMessageId" | "at"> & { sendingAt: number }): Observation | undefined {
    const found = this.#unclaimed.find(
      ({ accountId, chatId, textSha256, at }) =>
        accountId === reply.accountId &&
        chatId === reply.chatId &&
        textSha256 === reply.textSha256 &&
        at >= reply.sendingAt - CLOCK_SLACK_MS,
    );
    if (found) this.account(found.whatsappMessageId);
    return found;
  }

  #know(id: string): void {
    this.#known.add(id);
    const [oldest] = this.#known;
    if (this.#known.size > MEMORY && oldest !== undefined) this.#known.delete(oldest);
  }
}
