import { examples } from "@hotbags/contract";
import type { RequestBody } from "@hotbags/shared";
import type { Backend, Post, Posted } from "../backend.ts";
import { testMessage } from "../test-message.ts";

/** What the checks of one run share: the backend, and what was seen of it. */
export class Context {
  readonly backend: Backend;
  /** In the id of each message. */
  readonly run: string;
  /** An answer that comes later than this is too slow for a customer, ms. */
  readonly slowMs: number;
  /** What came for each key that the backend took, in order. */
  readonly taken = new Map<string, Posted[]>();
  /** Keys of which nobody knows whether the backend took them: no answer came, or a 5xx. */
  readonly unknown = new Set<string>();
  /** Of every request that was answered as a message is, in order. */
  readonly durations: { key: string; ms: number }[] = [];
  /** The first message. */
  first: Posted | undefined;
  /** It was there, and nobody is there any more. */
  isGone = false;

  constructor(backend: Backend, run: string, slowMs: number) {
    this.backend = backend;
    this.run = run;
    this.slowMs = slowMs;
  }

  /** A message of the test chat, by the example of its kind. */
  message(name: string, example: RequestBody = examples.text): RequestBody {
    return testMessage(example, `CHECK-${this.run}-${name}`, Date.now());
  }

  /** POSTs it, and notes what came back if it was taken. */
  async post(message: RequestBody, changes: Partial<Post> = {}): Promise<Posted> {
    const { message_id: key, transport_session_id: session } = message;
    const posted = await this.backend.post({ key, session, body: Buffer.from(JSON.stringify(message)), ...changes });
    if (isTaken(posted)) {
      this.taken.set(key, [...(this.taken.get(key) ?? []), posted]);
      this.durations.push({ key, ms: posted.durationMs });
    } else if (isUnreachable(posted)) this.isGone = this.first !== undefined;
    else if (posted.status === null || posted.status >= 500) this.unknown.add(key);
    return posted;
  }
}

/** Nothing has reached it. */
function isUnreachable({ outcome }: Posted): boolean {
  return outcome.kind === "failed" && outcome.symptom.trouble === "unreachable";
}

/** A 2xx, whatever is in it. */
export function isTaken({ status }: Posted): boolean {
  return status !== null && status >= 200 && status < 300;
}
