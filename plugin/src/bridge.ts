import { join } from "node:path";
import { failpoint, LogThrottle, reasonOf } from "@hotbags/shared";
import { type Captured, captureDispatched, isWhatsApp } from "./capture/capture.ts";
import { captureReceived, type ReceivedContext, type ReceivedEvent } from "./capture/message-received.ts";
import type { DispatchContext } from "./capture/text.ts";
import { type Announcement, announce, onAnnounced } from "./host/announcement.ts";
import { BurstLog } from "./host/burst-log.ts";
import { type LinkConfig, lowDiskBytes, maxFileBytes, parseConfig } from "./host/config.ts";
import { guarded } from "./host/guard.ts";
import { type Log, line } from "./host/log.ts";
import { INTAKE_LIMITS, Intake, type IntakeLimits } from "./intake/intake.ts";
import type { ReceivedOnly } from "./intake/overflow-buffer.ts";
import { type SentContext, type SentEvent, sentFrame } from "./link/frames.ts";
import { Link } from "./link/link.ts";
import { Observations } from "./link/observations.ts";
import type { LinkTiming } from "./link/timing.ts";
import { type Limits, Outbox } from "./outbox/outbox.ts";
import { Disk } from "./status/disk.ts";
import { StatusBoard } from "./status/status.ts";

/**
 * Ends the turn in OpenClaw: no model, no reply. `queuedFinal` says that somebody will answer. Without it OpenClaw
 * (2026.9.6) writes a warning for each message, with the customer's whole number in it.
 */
export const CLAIM = { handled: true, queuedFinal: true, counts: { tool: 0, block: 0, final: 0 } } as const;

export type BridgeOptions = {
  /** OpenClaw's state folder; ours is `hotbags` in it. */
  stateDir: string;
  openclawVersion: string;
  /** The plugin's configuration as it is now; it may change at any time. */
  readConfig: () => unknown;
  log: Log;
  /** True if OpenClaw may consume this text itself, so that only `message_received` sees it. */
  isConsumed: (text: string) => boolean;
  outboxLimits?: Limits;
  intakeLimits?: IntakeLimits;
  maxMediaBytes?: number;
  linkTiming?: LinkTiming;
  lookEveryMs?: number;
};

/** How often the configuration is looked at, and incomplete messages of other instances are looked for. */
const LOOK_EVERY_MS = 2_000;

/**
 * One instance of the plugin: hooks → intake → outbox → link. The hooks work whether it was started or not; what it
 * stores while it has no link goes out by the instance that has one. Instances share nothing but the outbox's file.
 */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #file: string;
  readonly #log: BurstLog;
  readonly #intake: Intake;
  readonly #configThrottle = new LogThrottle();
  readonly #logThrottle = new LogThrottle();
  readonly #observations = new Observations();
  readonly #disk: Disk;
  readonly #status: StatusBoard;
  #link: Link | undefined;
  #applied: string | undefined;
  #applying: Promise<void> = Promise.resolve();
  #looking: NodeJS.Timeout | undefined;
  #deafen: (() => void) | undefined;
  #isStopped = false;

  constructor(options: BridgeOptions) {
    this.#options = options;
    const file = join(options.stateDir, "hotbags", "outbox.sqlite");
    this.#file = file;
    const open = () => (options.outboxLimits === undefined ? new Outbox(file) : new Outbox(file, options.outboxLimits));
    const limits = options.intakeLimits ?? INTAKE_LIMITS;
    const files = {
      inbound: join(options.stateDir, "media", "inbound"),
      maxFileBytes: () => maxFileBytes(this.#config()),
      ...(options.maxMediaBytes === undefined ? {} : { maxMediaBytes: options.maxMediaBytes }),
    };
    this.#log = new BurstLog(options.log);
    this.#intake = new Intake(open, files, this.#log, (seq) => announce(file, { ready: seq }), limits);
    const { stateDir, openclawVersion } = options;
    this.#disk = new Disk(stateDir, () => lowDiskBytes(this.#config()), this.#log);
    const present = { inMemory: () => this.#intake.inMemory, disk: () => this.#disk.space };
    this.#status = new StatusBoard(stateDir, openclawVersion, this.#log, present);
  }

  /** True from the stop on. Hooks still store what they get; a link takes another instance. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /**
   * Opens the outbox and starts the link, once. Never throws: a broken configuration must not keep messages from being
   * captured.
   */
  start(): void {
    if (this.#isStopped)
      return this.#log.error(line({}, "a plugin that was stopped starts no more: it needs a new one"));
    const heard = (announcement: Announcement) => this.#heard(announcement);
    this.#deafen ??= onAnnounced(this.#file, heard, (error) => this.#failed(error));
    const guardedLook = this.#guarded(() => this.#look());
    guardedLook();
    if (this.#looking === undefined) void this.#intake.sweep();
    this.#looking ??= setInterval(guardedLook, this.#options.lookEveryMs ?? LOOK_EVERY_MS);
  }

  /** Closes everything this instance has opened; afterwards nothing of it runs. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#looking);
    this.#deafen?.();
    this.#applying = this.#applying.then(() => this.#endLink());
    await this.#applying;
    await this.#intake.stop();
    this.#log.stop();
    // One that never ran has nothing to say, and must not overwrite what the running one says.
    if (this.#looking !== undefined) await this.#status.stop();
    this.#looking = undefined;
  }

  #heard(announcement: Announcement): void {
    if ("ready" in announcement) {
      this.#intake.completed(announcement.ready);
      this.#link?.offer(announcement.ready);
      return;
    }
    if ("tookMs" in announcement) return this.#status.hook.add(announcement.tookMs);
    this.#observations.add(announcement.sent);
    this.#link?.flushObservations();
  }

  #look(): void {
    this.#intake.adoptIncomplete();
    void this.#disk.look();
    this.#status.write();
    const parsed = parseConfig(this.#options.readConfig());
    if (!parsed.ok) {
      const say = `messages are kept but not forwarded: ${parsed.reason}`;
      this.#configThrottle.log(() => this.#log.error(line({}, say)));
    }
    const wanted = JSON.stringify(parsed);
    if (wanted === this.#applied) return;
    this.#applied = wanted;
    const apply = async () => {
      await this.#endLink();
      if (parsed.ok) this.#beginLink(parsed.config);
      else this.#status.down(parsed.reason);
    };
    const failed = (error: unknown) => {
      this.#applied = undefined;
      this.#failed(error);
    };
    this.#applying = this.#applying.then(guarded(apply, failed));
  }

  #beginLink(config: LinkConfig): void {
    const { openclawVersion, linkTiming } = this.#options;
    const outbox = () => this.#intake.outbox();
    const timing = linkTiming === undefined ? {} : { timing: linkTiming };
    this.#configThrottle.over();
    const observations = this.#observations;
    this.#status.dialling(config.url);
    this.#link = new Link({
      ...{ config, openclawVersion, outbox, observations, log: this.#log, report: this.#status },
      ...timing,
    });
    this.#link.start();
  }

  async #endLink(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    await link?.stop();
  }

  /** `reply_dispatch`. Claims every WhatsApp turn, and returns when its message is on disk. Never throws. */
  async onDispatch(context: DispatchContext): Promise<typeof CLAIM | undefined> {
    if (this.#read(() => isWhatsApp(context)) !== true) return undefined;
    const calledAt = performance.now();
    const captured = this.#read(() => captureDispatched(context, Date.now()));
    if (captured !== undefined) {
      await this.#store(captured);
      announce(this.#file, { tookMs: performance.now() - calledAt });
    }
    return CLAIM;
  }

  /**
   * `message_received`: OpenClaw calls it before it decides what to do with a message. It is written at once, which a
   * kill in between cannot undo, and waits until `reply_dispatch` brings the complete message: nobody can know
   * whether that comes. A wrong guess of `isConsumed` costs seconds, never a message.
   */
  async onReceived(event: ReceivedEvent, context: ReceivedContext): Promise<void> {
    const captured = this.#read(() => captureReceived(event, context, Date.now()));
    // Only messages: what can't be one comes by reply_dispatch with more evidence.
    if (!captured?.ok) return;
    const consumed = this.#read(() => this.#options.isConsumed(captured.message.text));
    await this.#store(captured, consumed ? "likely consumed" : "unlikely consumed");
  }

  /** `message_sent`: the gateway's word on a send, for the sidecar. */
  onSent(event: SentEvent, context: SentContext): void {
    failpoint("reply-seen");
    const frame = this.#read(() => sentFrame(event, context, Date.now()));
    if (frame !== undefined) announce(this.#file, { sent: frame });
  }

  /** The intake never rejects by itself; should it ever, the turn must still be claimed, or the model would answer. */
  async #store(captured: Captured, receivedOnly?: ReceivedOnly): Promise<void> {
    try {
      await this.#intake.store(captured, receivedOnly);
    } catch (error) {
      this.#log.error(line({}, `a message could not be stored: ${reasonOf(error)}`));
    }
  }

  #guarded(act: () => void): () => void {
    return guarded(act, (error) => this.#failed(error));
  }

  /** Nothing that is known of, and nothing that may end the gateway or this instance. */
  #failed(error: unknown): void {
    this.#logThrottle.log(() => this.#log.error(line({}, `something failed, the plugin goes on: ${reasonOf(error)}`)));
  }

  /** Undefined where it can't be read: `#look` asks for it all the time, and tells of that. */
  #config(): unknown {
    try {
      return this.#options.readConfig();
    } catch {
      return undefined;
    }
  }

  #read<Seen>(see: () => Seen | undefined): Seen | undefined {
    try {
      return see();
    } catch (error) {
      this.#log.error(line({}, `what OpenClaw gave could not be read: ${reasonOf(error)}`));
      return undefined;
    }
  }
}
