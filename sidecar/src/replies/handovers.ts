import { safeReason } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import { asWritten, type Gateway, verdictOnDrop } from "../gateway/index.ts";
import { type Admission, LaneRunner } from "../lane-runner.ts";
import type { Rest, Verdict } from "../lanes.ts";
import { type HandoverEnd, isDamage, RESTORE, RowUnreadableError, type SharedStore } from "../store/index.ts";
import { StoreFaults } from "../store-faults.ts";
import { commandLog } from "./command-log.ts";
import { type FollowedCommand, followed, idsOf } from "./followed-command.ts";
import type { Observations } from "./observations.ts";
import { type Drop, type Handover, MAX_HANDOVERS, OpenHandovers } from "./open-handovers.ts";

/** Chats whose handovers are looked into at once. */
const CONCURRENCY = 4;

/** How often the gateway is asked whether it has sent a reply from its queue, ms, besides what it tells by itself. */
const ASK_MS = 30_000;

/**
 * OpenClaw tries a message 5 times within 750 s and then drops it, whether WhatsApp is connected or not. A gateway that
 * has run for this long, ms, has it no more.
 */
const OVER_MS = 20 * 60_000;

/**
 * A gateway repeats its answer to a key for 300 s, and up to a minute more: it forgets once a minute (dist
 * server-maintenance). What it has dropped by then waits for so long, ms: it would be taken for queued again.
 */
const REMEMBERED_MS = 390_000;

/** Why a lane rests: nothing is known yet; the store could not be read or written. */
type Cause = "waiting" | "store";

interface HandoversParts {
  store: SharedStore;
  gateway: Gateway;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
  observations: Observations;
  /** Whether a command in doubt has the same text in the same chat: OpenClaw may mean that one. */
  isInDoubt(chat: number, textSha256: string): boolean;
  /** Told of each reply that OpenClaw has no more, once that is on disk. */
  onEnded(handover: Handover, end: HandoverEnd): void;
}

/**
 * Follows replies that OpenClaw has put into its own queue, until it has sent them or dropped them. It is told of both by
 * the plugin (`message_sent`), and finds what was sent in the gateway's transcript too: the plugin's word is lost when the
 * gateway is killed. What OpenClaw has dropped unsent is ours again. What nobody can tell is in doubt.
 */
export class Handovers {
  readonly #parts: HandoversParts;
  readonly #open = new OpenHandovers();
  readonly #faults: StoreFaults;
  readonly #chats: LaneRunner<Cause>;
  readonly #unsubscribe: () => void;
  /** The gateway process of last, and since when it is followed, monotonic ms. */
  #process: string | undefined;
  #processSince = Number.NEGATIVE_INFINITY;
  #isUp = false;

  constructor(parts: HandoversParts) {
    this.#parts = parts;
    this.#faults = new StoreFaults(parts);
    const { clock, timers } = parts;
    this.#chats = new LaneRunner<Cause>({
      clock,
      timers,
      concurrency: CONCURRENCY,
      gate: (): Admission => (this.#faults.isOutage ? { notBefore: Number.POSITIVE_INFINITY } : "due"),
      run: (chat) => this.#look(chat),
      failed: (chat, error) => this.#faults.failed(chat, error),
    });
    this.#unsubscribe = this.#faults.onRecovery(() => this.#chats.release("store"));
  }

  /** What the last run has handed over, or the last owner of this account. */
  async takeUp(account?: string): Promise<void> {
    const { store, log } = this.#parts;
    for (const id of await this.#lastRuns(account)) {
      try {
        this.add(followed(await store.commands.get(id)));
      } catch (error) {
        // It must not keep the others from being followed.
        if (!(error instanceof RowUnreadableError)) throw error;
        await store.commands.passOver(id, "queued_by_gateway", "in_doubt");
        const what = `command ${id} can't be read; it may have been sent or not. ${RESTORE}`;
        log.error({ command: id, err: error, alarm: true }, what);
      }
    }
  }

  /** None, where the list can't be read: that must not keep the sidecar from starting. */
  async #lastRuns(account: string | undefined): Promise<number[]> {
    const { store, log } = this.#parts;
    try {
      return (await store.handovers.open(MAX_HANDOVERS, account)).reverse();
    } catch (error) {
      if (!isDamage(error)) throw error;
      log.error({ err: error, alarm: true }, `which replies OpenClaw has in its queue can't be read. ${RESTORE}`);
      return [];
    }
  }

  /** The account is another process's: nobody here follows its replies any more. */
  letGo(account: string): void {
    for (const handover of this.#open.all) if (handover.accountId === account) this.#open.delete(handover);
  }

  /** A command that was settled as `queued_by_gateway`. */
  add(command: FollowedCommand): void {
    const handover = this.#open.add(command, this.#parts.clock.uptimeMs());
    const early = this.#claim(handover) ? undefined : this.#open.earlyDropOf(handover);
    if (early) this.#end(handover, early);
    this.#chats.offer(command.chat);
  }

  /** Whether OpenClaw may still send a reply of this chat: one that follows would overtake it. */
  blocks(chat: number): boolean {
    return this.#open.of(chat).length > 0;
  }

  /** How many there are, and how long the oldest has waited, ms. */
  get status() {
    const now = this.#parts.clock.uptimeMs();
    return { count: this.#open.count, longestWaitMs: Math.max(0, ...this.#open.all.map(({ since }) => now - since)) };
  }

  /** Chats that are looked into just now. */
  get underWay(): number {
    return this.#chats.underWay;
  }

  /** The gateway was seen to send something in this chat. */
  observed(accountId: string, chatId: string): void {
    for (const handover of this.#open.all)
      if (handover.accountId === accountId && handover.chatId === chatId && this.#claim(handover))
        this.#chats.release("waiting", handover.chat);
  }

  /** The gateway has dropped a text from its queue. */
  dropped(drop: Drop): void {
    const handover = this.#open.droppedOf(drop);
    if (!handover) return;
    this.#end(handover, drop);
    this.#chats.release("waiting", handover.chat);
  }

  /** The gateway's state has changed. */
  changed(): void {
    const { link, process } = this.#parts.gateway.state;
    const wasUp = this.#isUp;
    this.#isUp = link === "up";
    if (!this.#isUp || wasUp) return;
    const id = process?.id ?? "";
    if (id !== this.#process) this.#processSince = this.#parts.clock.uptimeMs();
    this.#process = id;
    this.#chats.release("waiting");
  }

  /** Nobody tells again what the plugin has told: it is written down now. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#chats.stop();
    const chats = new Set(this.#open.all.map(({ chat }) => chat));
    await Promise.allSettled([...chats].map((chat) => this.#settle(chat)));
  }

  #end(handover: Handover, drop: Drop): void {
    const isCertain = !this.#parts.isInDoubt(handover.chat, handover.textSha256);
    const to = isCertain && verdictOnDrop(drop.reason) === "unsent" ? "pending" : "in_doubt";
    const reason = to === "pending" ? "OpenClaw gave it up, unsent" : "OpenClaw gave it up, and may have sent it";
    handover.end = { to, reason, said: safeReason(asWritten(drop.reason)), dropped: true };
  }

  #claim(handover: Handover): boolean {
    if (handover.end !== null) return false;
    const seen = this.#parts.observations.claim({ ...handover, sendingAt: handover.sendingAt ?? 0 });
    if (!seen) return false;
    handover.end = { to: "sent", whatsappMessageId: seen.whatsappMessageId };
    return true;
  }

  /** Settles what is known of a chat's handovers, and asks about the others. Throws when the store fails. */
  async #look(chat: number): Promise<Verdict<Cause>> {
    let rest = await this.#settle(chat);
    if (!rest && this.#isUp && this.#open.of(chat).some(({ end }) => end === null)) {
      await this.#ask(chat);
      rest = await this.#settle(chat);
    }
    this.#faults.passed(chat);
    if (rest) return rest;
    return this.blocks(chat) ? { cause: "waiting", until: this.#parts.clock.uptimeMs() + ASK_MS } : "empty";
  }

  async #ask(chat: number): Promise<void> {
    const [first] = this.#open.of(chat);
    if (!first) return;
    const keys = await this.#parts.gateway.history(first.accountId, first.chatId);
    for (const handover of this.#open.of(chat)) {
      if (handover.end !== null) continue;
      if (keys?.has(handover.commandId)) handover.end = { to: "sent", whatsappMessageId: null };
      else if (this.#isUp && this.#isOver(handover)) {
        const reason = "OpenClaw has it no more, and nothing tells whether it was sent or dropped";
        handover.end = { to: "in_doubt", reason, dropped: false };
      }
    }
  }

  #isRemembered({ since }: Handover): boolean {
    return this.#parts.clock.uptimeMs() - since < REMEMBERED_MS;
  }

  #isOver({ since }: Handover): boolean {
    return this.#parts.clock.uptimeMs() - Math.max(since, this.#processSince) > OVER_MS;
  }

  /** Writes down what is known of a chat's handovers. For what the lane rests when a damaged page keeps it from that. */
  async #settle(chat: number): Promise<Rest<"store"> | null> {
    const { store, onEnded } = this.#parts;
    for (const handover of this.#open.of(chat)) {
      const { id, end } = handover;
      if (end === null || (end.to === "pending" && this.#isRemembered(handover))) continue;
      try {
        await store.handovers.ended(id, end);
        this.#announce(handover, end);
      } catch (error) {
        if (!isDamage(error)) throw error;
        const rest = this.#faults.damaged(id, error);
        if (rest) return rest;
        await store.commands.passOver(id, "queued_by_gateway", end.to === "pending" ? "failed" : end.to);
        const about = { err: error, alarm: true };
        commandLog(this.#parts.log, idsOf(handover)).error(about, `what became of it can't be written. ${RESTORE}`);
      }
      this.#faults.forget(id);
      this.#open.delete(handover);
      onEnded(handover, end);
    }
    return null;
  }

  #announce(handover: Handover, end: HandoverEnd): void {
    const log = commandLog(this.#parts.log, idsOf(handover));
    switch (end.to) {
      case "sent":
        return log.info({ whatsapp_message_id: end.whatsappMessageId }, "reply sent from OpenClaw's queue");
      case "pending":
        return log.warn(`not sent, will be tried again: ${end.reason}`);
      case "in_doubt":
        return log.warn(`it is not known whether the reply was sent: ${end.reason}`);
    }
  }
}
