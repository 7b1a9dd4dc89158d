import { join } from "node:path";
import { step } from "@hotbags/shared";
import { type Captured, captureDispatched, type DispatchContext, isWhatsApp } from "./capture.ts";
import { parseConfig } from "./config.ts";
import { type SentContext, type SentEvent, sentFrame } from "./frames.ts";
import { INTAKE_LIMITS, Intake, type IntakeLimits } from "./intake.ts";
import { Link, type LinkTiming } from "./link.ts";
import { type Log, line, reasonOf } from "./log.ts";
import type { Held } from "./memory.ts";
import { captureReceived, type ReceivedContext, type ReceivedEvent } from "./net.ts";
import { type Limits, Outbox } from "./outbox.ts";

/** Ends the turn in OpenClaw: no model, no reply. */
export const CLAIM = { handled: true, queuedFinal: false, counts: { tool: 0, block: 0, final: 0 } } as const;

export type BridgeOptions = {
  /** OpenClaw's state folder; ours is `hotbags` in it. */
  stateDir: string;
  openclawVersion: string;
  log: Log;
  /** True if OpenClaw may consume this text itself, so that only the net sees it. */
  isConsumed: (text: string) => boolean;
  outboxLimits?: Limits;
  intakeLimits?: IntakeLimits;
  linkTiming?: LinkTiming;
};

/** How often a configuration that makes the link impossible is complained of. */
const COMPLAIN_EVERY_MS = 60_000;
/** How often held messages of other instances are looked for. */
const ADOPT_EVERY_MS = 10_000;

/**
 * One instance of the plugin: hooks → intake → outbox → link. It is started and stopped several times, once more with
 * each edit of its configuration, while the hooks go on. OpenClaw may run two instances for a moment (an upgrade), so
 * nothing is shared but the outbox's file.
 */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #intake: Intake;
  #link: Link | undefined;
  #complaining: NodeJS.Timeout | undefined;
  #adopting: NodeJS.Timeout | undefined;

  constructor(options: BridgeOptions) {
    this.#options = options;
    const file = join(options.stateDir, "hotbags", "outbox.sqlite");
    const open = () => (options.outboxLimits === undefined ? new Outbox(file) : new Outbox(file, options.outboxLimits));
    this.#intake = new Intake(
      open,
      options.log,
      (seq) => this.#link?.offer(seq),
      options.intakeLimits ?? INTAKE_LIMITS,
    );
  }

  /**
   * Opens the outbox and starts the link. Never throws: a broken configuration must not keep messages from being
   * captured.
   */
  start(pluginConfig: unknown): void {
    const { openclawVersion, log, linkTiming } = this.#options;
    this.#intake.start();
    this.#intake.adoptHeld();
    this.#adopting = setInterval(() => this.#intake.adoptHeld(), ADOPT_EVERY_MS);
    const parsed = parseConfig(pluginConfig);
    if (!parsed.ok) {
      const complain = () => log.error(line({}, `messages are kept but not forwarded: ${parsed.reason}`));
      complain();
      this.#complaining = setInterval(complain, COMPLAIN_EVERY_MS);
      return;
    }
    const outbox = () => this.#intake.outbox();
    this.#link = new Link({
      ...{ config: parsed.config, openclawVersion, outbox, log },
      ...(linkTiming === undefined ? {} : { timing: linkTiming }),
    });
    this.#link.start();
  }

  /** Closes everything this instance has opened; nothing of it runs until the next start. */
  async stop(): Promise<void> {
    clearInterval(this.#complaining);
    clearInterval(this.#adopting);
    const link = this.#link;
    this.#link = undefined;
    await link?.stop();
    this.#intake.stop();
  }

  /** `reply_dispatch`. Claims every WhatsApp turn, and returns when its message is on disk. Never throws. */
  async onDispatch(context: DispatchContext): Promise<typeof CLAIM | undefined> {
    if (!isWhatsApp(context)) return undefined;
    const captured = this.#look(() => captureDispatched(context, Date.now()));
    if (captured !== undefined) await this.#store(captured);
    return CLAIM;
  }

  /**
   * `message_received`: OpenClaw calls it before it decides what to do with a message. It is written at once, which a
   * kill in between cannot undo, and held back until `reply_dispatch` brings the complete message: nobody can know
   * whether that comes. A wrong guess of `isConsumed` costs seconds, never a message.
   */
  async onReceived(event: ReceivedEvent, context: ReceivedContext): Promise<void> {
    const captured = this.#look(() => captureReceived(event, context, Date.now()));
    // Only messages: what can't be one comes by reply_dispatch with more evidence.
    if (!captured?.ok) return;
    const consumed = this.#options.isConsumed(captured.message.text);
    await this.#store(captured, consumed ? "likely consumed" : "unlikely consumed");
  }

  /** `message_sent`: the gateway's word on a send, for the sidecar. */
  onSent(event: SentEvent, context: SentContext): void {
    step("reply-seen");
    const frame = this.#look(() => sentFrame(event, context, Date.now()));
    if (frame !== undefined) this.#link?.observe(frame);
  }

  /** The intake never rejects by itself; should it ever, the turn must still be claimed, or the model would answer. */
  async #store(captured: Captured, held?: Held): Promise<void> {
    try {
      await this.#intake.store(captured, held);
    } catch (error) {
      this.#options.log.error(line({}, `a message could not be stored: ${reasonOf(error)}`));
    }
  }

  #look<Seen extends Captured | string>(see: () => Seen | undefined): Seen | undefined {
    try {
      return see();
    } catch (error) {
      this.#options.log.error(line({}, `an event of OpenClaw could not be read: ${reasonOf(error)}`));
      return undefined;
    }
  }
}
