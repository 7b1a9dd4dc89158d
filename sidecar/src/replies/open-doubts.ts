import type { DoubtfulCommand } from "../store/index.ts";
import { type FollowedCommand, followed } from "./followed-command.ts";

/** Doubts that are remembered, the newest ones. Older ones are the operator's. */
export const MAX_OPEN_DOUBTS = 1_000;

export interface Proof {
  state: "sent" | "queued_by_gateway";
  how: string;
  whatsappMessageId: string | null;
}

/** What is remembered of a doubtful command. */
export interface Doubt extends FollowedCommand {
  /** When it was handed to the gateway, since the machine started, ms, and to which process; null: nobody can be asked for it again. */
  readonly sendingBootMs: number | null;
  readonly gatewayProcess: string | null;
  /** The gateway process that has been asked in vain; another one may know more. */
  askedProcess: string | null;
  isAlarmed: boolean;
  /** How often the present process was asked without an answer. */
  questions: number;
  /** It is being asked for again, so it may be sent right now. */
  isAskedAgain: boolean;
  /** Found, but not on disk yet. */
  proof: Proof | null;
}

const NEVER_ASKED = {
  ...{ sendingBootMs: null, gatewayProcess: null, askedProcess: null, isAlarmed: false },
  ...{ questions: 0, isAskedAgain: false, proof: null },
};

/** The doubts that a proof could still settle: at most `MAX_OPEN_DOUBTS`, the oldest one is forgotten first. */
export class OpenDoubts {
  readonly #byCommand = new Map<number, Doubt>();
  readonly #byChat = new Map<number, Set<Doubt>>();

  get all(): Doubt[] {
    return [...this.#byCommand.values()];
  }

  of(chat: number): Doubt[] {
    return [...(this.#byChat.get(chat) ?? [])];
  }

  get(id: number): Doubt | undefined {
    return this.#byCommand.get(id);
  }

  has(doubt: Doubt): boolean {
    return this.#byCommand.get(doubt.id) === doubt;
  }

  add(command: DoubtfulCommand): Doubt {
    return this.#remember({
      ...followed(command),
      ...NEVER_ASKED,
      sendingBootMs: command.sending_boot_ms,
      gatewayProcess: command.gateway_process,
      askedProcess: command.asked_process,
      isAlarmed: command.alarmed_at !== null,
    });
  }

  /** One that OpenClaw had in its own queue: asked for it again, it would only repeat that. */
  addHandover(command: FollowedCommand): Doubt {
    return this.#remember({ ...command, ...NEVER_ASKED });
  }

  #remember(doubt: Doubt): Doubt {
    const known = this.#byCommand.get(doubt.id);
    if (known) return known;
    this.#byCommand.set(doubt.id, doubt);
    const ofChat = this.#byChat.get(doubt.chat);
    if (ofChat) ofChat.add(doubt);
    else this.#byChat.set(doubt.chat, new Set([doubt]));
    const [oldest] = this.#byCommand.values();
    if (oldest && this.#byCommand.size > MAX_OPEN_DOUBTS) this.delete(oldest);
    return doubt;
  }

  delete(doubt: Doubt): void {
    this.#byCommand.delete(doubt.id);
    const ofChat = this.#byChat.get(doubt.chat);
    ofChat?.delete(doubt);
    if (ofChat?.size === 0) this.#byChat.delete(doubt.chat);
  }
}
