import { excerpt } from "../excerpt.ts";
import type { BotMessage } from "./events.ts";
import { Waiting } from "./waiting.ts";

export type Expected = string | RegExp | ((message: BotMessage) => boolean);

export interface HearOptions {
  /** Default 30,000. */
  readonly timeoutMs?: number;
}

const SHOWN_MESSAGES = 20;

/** What one contact or group has got from the bot, and who waits for the next of it. */
export class Inbox {
  /** Everything, in order. */
  readonly heard: BotMessage[] = [];
  readonly #owner: string;
  readonly #fresh = new Set<BotMessage>();
  readonly #waiting = new Waiting<BotMessage>();

  constructor(owner: string) {
    this.#owner = owner;
  }

  add(message: BotMessage): void {
    this.heard.push(message);
    if (!this.#waiting.offer(message)) this.#fresh.add(message);
  }

  /** The oldest message that no earlier call has returned and that is as expected; waits for it if need be. */
  hears(expected: Expected | undefined, { timeoutMs = 30_000 }: HearOptions): Promise<BotMessage> {
    const accepts = predicateOf(expected);
    for (const message of this.#fresh) {
      if (!accepts(message)) continue;
      this.#fresh.delete(message);
      return Promise.resolve(message);
    }
    return this.#waiting.wait(timeoutMs, () => this.#explain(expected, timeoutMs), accepts);
  }

  close(): void {
    this.#waiting.close(`${this.#owner} waited for a message while WhatsApp was closed`);
  }

  #explain(expected: Expected | undefined, timeoutMs: number): string {
    const wanted = typeof expected === "string" ? excerpt(expected) : expected ? String(expected) : "a message";
    const list = this.heard.slice(-SHOWN_MESSAGES).map((message) => {
      const text = message.text === undefined ? message.kind : excerpt(message.text);
      return `\n  ${message.at.toISOString()} ${text}${this.#fresh.has(message) ? "" : " (heard before)"}`;
    });
    const omitted = this.heard.length > SHOWN_MESSAGES ? `, the last ${SHOWN_MESSAGES}` : "";
    return `${this.#owner} did not hear ${wanted} within ${timeoutMs} ms; arrived: ${this.heard.length}${omitted}${list.join("")}`;
  }
}

function predicateOf(expected: Expected | undefined): (message: BotMessage) => boolean {
  if (expected === undefined) return () => true;
  if (typeof expected === "string") return (message) => message.text === expected;
  if (expected instanceof RegExp) return (message) => message.text !== undefined && expected.test(message.text);
  return expected;
}
