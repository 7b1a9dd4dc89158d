import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("./between.child.ts", import.meta.url));

/**
 * Where a message can be seen on its way. `called`, `returned`: the claim hook; `linked`: on the way to the sidecar; `posted`, `answered`:
 * at the backend; `sent`, `taken`: the reply is handed to the gateway, and that has answered; `heard`: the reply is on the phone.
 */
export type Point = "called" | "returned" | "linked" | "posted" | "answered" | "sent" | "taken" | "heard";

/** Told of what is seen of a message, and when, ms of the machine's monotonic clock. */
export type See = (point: Point, id: string, at: number) => void;

/** What the backend does: it answers after so long, with a reply or without. */
export interface Backend {
  delayMs: number;
  replies: boolean;
}

/** Where the two relays lead, `ws://host:port`: the plugin's link, and the sidecar's connection to the gateway. */
export interface Targets {
  link: string;
  gateway: string;
}

export type Ask = { type: "lead"; targets: Targets } | { type: "answer"; backend: Backend };
export type Told =
  | { type: "ready"; backend: string; link: string; gateway: string }
  | { type: "answering" }
  | { type: "seen"; point: Point; id: string; at: number };

/**
 * The backend, and what looks at the messages between the gateway and the sidecar, in a process of their own: what WhatsApp's stand-in has to
 * do for the same message holds up none of them.
 */
export class Between {
  /** The backend's address, and those of the two relays. */
  readonly addresses: { backend: string } & Targets;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { backend, link, gateway }: Extract<Told, { type: "ready" }>) {
    this.#child = child;
    this.addresses = { backend, link, gateway };
  }

  static async start(see: See): Promise<Between> {
    // It ends by itself when this process does.
    const child = fork(CHILD, { serialization: "advanced" });
    child.on("message", (told: Told) => told.type === "seen" && see(told.point, told.id, told.at));
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`the backend has ended at its start, with code ${code}`);
    });
    ended.catch(() => {});
    const [ready] = await Promise.race([once(child, "message"), ended]);
    return new Between(child, ready);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** To be called before anybody connects. */
  leadTo(targets: Targets): void {
    this.#child.send({ type: "lead", targets } satisfies Ask);
  }

  /** Resolves when the backend does so. To be called while nothing is on its way. */
  async answers(backend: Backend): Promise<void> {
    const told = new Promise<void>((resolve) => {
      const listener = ({ type }: Told) => {
        if (type !== "answering") return;
        this.#child.off("message", listener);
        resolve();
      };
      this.#child.on("message", listener);
    });
    this.#child.send({ type: "answer", backend } satisfies Ask);
    await told;
  }

  async close(): Promise<void> {
    const closed = once(this.#child, "exit");
    this.#child.disconnect();
    await closed;
  }
}
