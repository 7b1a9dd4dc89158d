import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("./far-ends.child.ts", import.meta.url));

/** A message's id, and when it came, ms of the machine's monotonic clock. */
export type Arrival = [id: string, at: number];

export type Ask = { type: "down"; isDown: boolean } | { type: "await"; sends: number } | { type: "collect" };
export type Told =
  | { type: "ready"; hotbags: string; gateway: string }
  | { type: "sent" }
  | { type: "collected"; posts: Arrival[]; sends: Arrival[] };

/** Hot Bags and the gateway, in one process of their own. */
export class FarEnds {
  readonly hotbags: string;
  readonly gateway: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { hotbags, gateway }: Extract<Told, { type: "ready" }>) {
    this.#child = child;
    this.hotbags = hotbags;
    this.gateway = gateway;
  }

  /** `accounts`: what the gateway has. */
  static async start(accounts: readonly string[] = ["default"]): Promise<FarEnds> {
    // It ends by itself when this process does.
    const child = fork(CHILD, accounts, { serialization: "advanced" });
    const [ready] = await once(child, "message");
    return new FarEnds(child, ready);
  }

  /** While it is down, Hot Bags answers 503. */
  setDown(isDown: boolean): void {
    this.#child.send({ type: "down", isDown } satisfies Ask);
  }

  /** Resolves when the gateway was asked for so many sends, since the last `collect`. */
  async sent(sends: number): Promise<void> {
    const told = this.#told("sent");
    this.#child.send({ type: "await", sends } satisfies Ask);
    await told;
  }

  /** What has come since the last time, in order. */
  async collect(): Promise<{ posts: Arrival[]; sends: Arrival[] }> {
    const told = this.#told("collected");
    this.#child.send({ type: "collect" } satisfies Ask);
    const { posts, sends } = await told;
    return { posts, sends };
  }

  async close(): Promise<void> {
    const closed = once(this.#child, "exit");
    this.#child.disconnect();
    await closed;
  }

  async #told<Type extends Told["type"]>(type: Type): Promise<Extract<Told, { type: Type }>> {
    for (;;) {
      const [told] = (await once(this.#child, "message")) as [Told];
      if (told.type === type) return told as Extract<Told, { type: Type }>;
    }
  }
}
