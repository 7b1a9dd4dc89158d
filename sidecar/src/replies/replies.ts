import { step, transportSessionId } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { Gateway, SendOutcome } from "../gateway/index.ts";
import { Lanes } from "../lanes.ts";
import { type Store, StoreUnwritableError, type WaitingCommand } from "../store/index.ts";
import { Doubts } from "./doubts.ts";
import { type Observation, Observations } from "./observations.ts";
import { Pace, type PaceLimits } from "./pace.ts";

/** Chats that are answered side by side. The gateway itself passes 20 to 25 sends a second. */
const CONCURRENCY = 8;

/** How often a chat asks again whether WhatsApp is connected, besides being told of changes. */
const HOLD_MS = 1_000;

/** Wait before a send that is proven not to have happened is tried again, unless the gateway names one. */
const NOT_SENT_RETRY_MS = 2_000;

/** Wait before a write that failed is tried again. */
const STORE_RETRY_MS = 1_000;

interface RepliesParts {
  store: Store;
  gateway: Gateway;
  clock: Clock;
  log: Logger;
  pace: PaceLimits;
}

/** Ids of earlier replies that are looked up at start, so that a late observation of one proves no other. */
const REMEMBERED_REPLIES = 1_000;

/** Executes commands: in order within a chat, at most once each, and only while WhatsApp is connected. */
export class Replies {
  readonly #parts: RepliesParts;
  readonly #lanes = new Lanes();
  readonly #doubts: Doubts;
  readonly #observations: Observations;
  readonly #pace: Pace;
  /** Chats with a send under way: until it has answered, an observation may be its own, and proves no other reply. */
  readonly #sending = new Set<number>();
  readonly #underWay = new Set<Promise<void>>();
  #unsubscribe: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  constructor(parts: RepliesParts) {
    this.#parts = parts;
    this.#observations = new Observations(parts.store.commands.sentIds(REMEMBERED_REPLIES));
    this.#doubts = new Doubts({
      ...parts,
      observations: this.#observations,
      isSending: (chat) => this.#sending.has(chat),
    });
    this.#pace = new Pace(parts.pace);
  }

  /** Takes up what the last run left: first what it was sending, which is in doubt now, then what waits. */
  async start(): Promise<void> {
    const { store, gateway, clock } = this.#parts;
    await this.#doubts.takeOver();
    this.#running = true;
    for (const chat of store.commands.waitingChats()) this.#lanes.offer(chat, clock.uptimeMs());
    const unsubscribers = [gateway.onChange(() => this.#wake()), store.onOutage(() => this.#pump())];
    this.#unsubscribe = () => {
      for (const unsubscribe of unsubscribers) unsubscribe();
    };
    this.#wake();
  }

  /** A chat has new commands. */
  offer(chat: number): void {
    if (!this.#running) return;
    this.#lanes.offer(chat, this.#parts.clock.uptimeMs());
    this.#pump();
  }

  /** The gateway has sent a text. */
  observe(observation: Observation): void {
    this.#observations.add(observation);
    void this.#doubts.observed(observation.chatId);
  }

  /** Begins no more sends and waits for those under way. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#unsubscribe();
    await this.#doubts.stop();
    await Promise.allSettled(this.#underWay);
  }

  #wake(): void {
    if (!this.#running) return;
    void this.#doubts.resolve().then(() => {
      this.#lanes.release(this.#parts.clock.uptimeMs());
      this.#pump();
    });
  }

  #pump(): void {
    // The intent to send could not be written down.
    if (!this.#running || this.#parts.store.outage) return;
    clearTimeout(this.#timer);
    while (this.#underWay.size < CONCURRENCY) {
      const chat = this.#lanes.take(this.#parts.clock.uptimeMs());
      if (chat === undefined) break;
      const run = this.#execute(chat).finally(() => {
        this.#underWay.delete(run);
        this.#pump();
      });
      this.#underWay.add(run);
    }
    const dueAt = this.#lanes.nextDueAt();
    if (dueAt === undefined || this.#underWay.size >= CONCURRENCY) return;
    this.#timer = setTimeout(() => this.#pump(), Math.max(0, Math.ceil(dueAt - this.#parts.clock.uptimeMs())));
  }

  /** One command of a chat. Never rejects. */
  async #execute(chat: number): Promise<void> {
    const { store, gateway, clock } = this.#parts;
    const command = store.commands.nextOf(chat);
    if (!command) return this.#lanes.empty(chat);
    // A doubt in this chat that can still be resolved comes first, or the replies would change places. It is looked into from here as
    // well: one that came up during a pass, or that the gateway could not answer, would otherwise hold the chat until something changes.
    const isDoubtful = this.#doubts.pendingIn(chat);
    if (isDoubtful) void this.#doubts.resolve();
    if (isDoubtful || !gateway.canSend(command.account_id)) return this.#lanes.again(chat, clock.uptimeMs() + HOLD_MS);
    const now = clock.uptimeMs();
    const slot = this.#pace.nextAt(now);
    if (slot > now) return this.#lanes.again(chat, slot);
    const restMs = this.#pace.spend(now);
    const log = this.#logOf(command);
    this.#sending.add(chat);
    try {
      const waitMs = Math.max(restMs, await this.#send(command, log));
      if (waitMs > 0 || store.commands.nextOf(chat)) this.#lanes.again(chat, clock.uptimeMs() + waitMs);
      else this.#lanes.empty(chat);
    } catch (error) {
      // An outage of the store has its own line in the log.
      if (!(error instanceof StoreUnwritableError))
        log.error({ err: error, alarm: true }, "a command's state can't be written");
      this.#lanes.again(chat, clock.uptimeMs() + STORE_RETRY_MS);
    } finally {
      this.#sending.delete(chat);
      await this.#doubts.observed(command.chat_id);
    }
  }

  /** Sends one command. Returns how long its chat waits, ms. Throws only when the intent could not be written, so nothing was sent. */
  async #send(command: WaitingCommand, log: Logger): Promise<number> {
    const { store, gateway } = this.#parts;
    await store.commands.sending(command.id, gateway.process?.id ?? null);
    step("send:before");
    const outcome = await gateway.send({
      accountId: command.account_id,
      to: command.chat_id,
      text: command.text,
      commandId: command.command_id,
    });
    step("send:after");
    if (outcome.kind === "not_sent") {
      log.warn(`not sent, will be tried again: ${outcome.reason}`);
      await this.#insist(() => store.commands.notSent(command.id, outcome.reason), log);
      return outcome.retryAfterMs ?? NOT_SENT_RETRY_MS;
    }
    await this.#insist(() => this.#settle(command, outcome, log), log);
    return 0;
  }

  async #settle(
    command: WaitingCommand,
    outcome: Exclude<SendOutcome, { kind: "not_sent" }>,
    log: Logger,
  ): Promise<void> {
    const { store } = this.#parts;
    const reason = "reason" in outcome ? outcome.reason : null;
    const whatsappMessageId = outcome.kind === "sent" ? outcome.whatsappMessageId : null;
    const partial = outcome.kind === "in_doubt" && outcome.partial === true;
    await store.commands.settled(command.id, outcome.kind, { reason, whatsappMessageId, partial });
    this.#observations.account(whatsappMessageId);
    if (outcome.kind === "sent") log.info({ whatsapp_message_id: whatsappMessageId }, "reply sent");
    if (outcome.kind === "queued_by_gateway") log.warn(`reply handed over, the gateway sends it later: ${reason}`);
    if (outcome.kind === "failed") log.error({ alarm: true }, `reply not sent: ${reason}`);
    if (partial) log.error({ alarm: true }, `the customer has a part of the reply, and gets no more of it: ${reason}`);
    else if (outcome.kind === "in_doubt") {
      log.warn(`it is not known whether the reply was sent: ${reason}`);
      this.#doubts.add(command.id);
      this.#wake();
    }
  }

  /** Repeats a write until the disk takes it: what was done outside can't be undone, and in the database it must not look as if it were still to do. */
  async #insist(write: () => Promise<void>, log: Logger): Promise<void> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        if (!(error instanceof StoreUnwritableError))
          log.error({ err: error, alarm: true }, "the outcome of a send can't be written; trying again");
        if (!this.#running) return;
        await new Promise((done) => setTimeout(done, STORE_RETRY_MS));
      }
    }
  }

  #logOf(command: WaitingCommand): Logger {
    const { account_id, message_id, command_id } = command;
    return this.#parts.log.child({ transport_session_id: transportSessionId(account_id), message_id, command_id });
  }
}
