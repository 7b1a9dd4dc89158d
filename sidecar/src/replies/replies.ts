import { failpoint } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import { callOf, type ReplyFile, UnsendableError } from "../commands/index.ts";
import type { Gateway, GatewayCall, SendOutcome } from "../gateway/index.ts";
import { type Admission, LaneRunner } from "../lane-runner.ts";
import type { Rest, Verdict } from "../lanes.ts";
import {
  type AnswerTimes,
  type ChatAddress,
  type HandOver,
  type HandoverEnd,
  isDamage,
  type NextCommand,
  type Pause,
  type PendingMessage,
  RESTORE,
  type RecordedCommand,
  RowUnreadableError,
  type SharedStore,
  type WaitingCommand,
} from "../store/index.ts";
import { StoreFaults } from "../store-faults.ts";
import { Width } from "../width.ts";
import { Brake, type BrakeLimits } from "./brake.ts";
import { type Cause, type CauseOfAll, sentenceOf, sentenceOfAll } from "./cause.ts";
import { Doubts } from "./doubts.ts";
import type { Reach } from "./fetch-file.ts";
import { FileFetches } from "./file-fetches.ts";
import { followed } from "./followed-command.ts";
import { Handovers } from "./handovers.ts";
import { type NumberChange, NumberChanges } from "./number-change.ts";
import { type Observation, Observations } from "./observations.ts";
import type { Drop, Handover } from "./open-handovers.ts";
import { OUTBOUND_OFF, type OutboundLimits, OutboundPace } from "./outbound-pace.ts";
import { Pace, type PaceLimits } from "./pace.ts";
import { Refusals } from "./refusals.ts";
import { SendResults } from "./send-results.ts";
import { type LockedAccount, TimeLocks } from "./time-locks.ts";

/**
 * Chats that are answered side by side: OpenClaw passes 20 to 25 replies a second, each in 40 ms and more, however many it
 * is asked for at once, and each that is under way when it dies is in doubt. More only for a gateway that waits for us: it
 * answers within milliseconds, and larger batches are what makes many chats fast.
 */
const WIDTH = { least: 8, most: 96 };

/** A chat that waits for a change of which it is told asks again after this time all the same, ms. */
const ASK_AGAIN_MS = 30_000;

/** The brake looks back an hour, over a restart too: one that is started again and again must not let a loop go on. */
const BRAKE_LOOKS_BACK_MS = 3_600_000;

/** Ids of earlier replies that are looked up at start, so that a late observation of one proves no other. */
const REMEMBERED_REPLIES = 1_000;

/** What may change while replies go out. */
interface RepliesLimits {
  pace: PaceLimits;
  brake: BrakeLimits;
  /** Numbers that the shop had before: replies to what was written to them may leave from the number of now. */
  formerNumbers: ReadonlySet<string>;
  outbound: OutboundLimits;
}

interface RepliesParts extends RepliesLimits {
  store: SharedStore;
  gateway: Gateway;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
  /** Told of a reply that is held as the first one of a chat that gets too many; not again before an hour without. */
  onRunaway(command: WaitingCommand): void;
  /** Told of replies that wait because their account has another number; see NumberChanges. */
  onNumberChange(change: NumberChange): void;
  /** Told of each send that the gateway has answered, or not; ms. What is asked about later is none. */
  onAnswered?(outcome: SendOutcome, durationMs: number, account: string): void;
  /** Told of each reply that went out, once that is on disk: when (wall-clock ms), and what it answered. */
  onSent?(at: number, times: AnswerTimes, account: string): void;
  /** What may be reached for files. Default: the internet. */
  reach?: Reach;
  /** Told of an account that WhatsApp has locked for direct chats; see TimeLocks. */
  onLock(lock: LockedAccount): void;
}

/** A command that may go now, with what goes with it. */
interface Ready {
  command: NextCommand;
  file: ReplyFile | null;
}

/** Executes commands: in order within a chat, at most once each, and only while WhatsApp is connected. */
export class Replies {
  readonly #parts: RepliesParts;
  readonly #chats: LaneRunner<Cause>;
  readonly #doubts: Doubts;
  readonly #handovers: Handovers;
  readonly #observations = new Observations();
  readonly #pace: Pace;
  readonly #outbound: OutboundPace;
  readonly #brake: Brake;
  readonly #numbers: NumberChanges;
  readonly #locks: TimeLocks;
  readonly #faults: StoreFaults;
  readonly #refusals: Refusals;
  readonly #results: SendResults;
  readonly #files: FileFetches;
  readonly #width = new Width(WIDTH);
  /** Chats with a send under way: until it has answered, an observation may be its own, and proves no other reply. */
  readonly #sending = new Set<number>();
  /** Accounts that are being taken up, or all: nothing is sent before it is known what was. */
  readonly #takingUp = new Set<string | undefined>();
  #gatewayProcess: string | undefined;
  /** The last chat that got too many. */
  #lastRunaway: { account_id: string; chat_id: string } | null = null;
  #unsubscribe: () => void = () => {};

  constructor(parts: RepliesParts) {
    const { store, clock, timers } = parts;
    const width = this.#width;
    this.#parts = parts;
    this.#pace = new Pace(parts.pace);
    this.#outbound = new OutboundPace(parts.outbound);
    this.#brake = new Brake(parts.brake);
    this.#numbers = new NumberChanges({ ...parts, onChange: parts.onNumberChange });
    this.#locks = new TimeLocks(parts);
    this.#faults = new StoreFaults(parts);
    this.#refusals = new Refusals(parts);
    this.#doubts = new Doubts({
      ...parts,
      observations: this.#observations,
      isSending: (chat) => this.#sending.has(chat),
      onSettled: (chat) => this.#chats.release("doubt", chat),
      onHandedOver: (command) => this.#handovers.add(command),
    });
    this.#handovers = new Handovers({
      ...parts,
      observations: this.#observations,
      isInDoubt: (chat, textSha256) => this.#doubts.isInDoubt(chat, textSha256),
      onEnded: (handover, end) => this.#handoverEnded(handover, end),
    });
    this.#results = new SendResults({
      ...{ store, log: parts.log, faults: this.#faults, onSent: parts.onSent },
      onWritten: (command, outcome) => this.#written(command, outcome),
    });
    this.#files = new FileFetches({ ...parts, onChange: (chat) => this.#chats.release("file", chat ?? undefined) });
    this.#chats = new LaneRunner<Cause>({
      clock,
      timers,
      get concurrency() {
        return width.requests;
      },
      gate: (now) => this.#admit(now),
      run: async (chat) => {
        const verdict = await this.#takeTurn(chat);
        this.#faults.passed(chat);
        return verdict;
      },
      failed: (chat, error) => {
        const verdict = this.#faults.failed(chat, error);
        return verdict === "empty" ? this.#empty(chat) : verdict;
      },
    });
  }

  /** Takes up what the last run left: first what it was sending, which is in doubt now, then what waits. */
  async start(): Promise<void> {
    const { gateway } = this.#parts;
    await this.takeUp();
    const unsubscribers = [
      gateway.onChange(() => this.#changed()),
      this.#faults.onRecovery(() => this.#chats.release("store")),
    ];
    this.#unsubscribe = () => {
      for (const unsubscribe of unsubscribers) unsubscribe();
    };
    this.#changed();
  }

  /** An account has become ours; without one, all that are. Before its messages are: what they are answered comes behind. */
  async takeUp(account?: string): Promise<void> {
    const { store } = this.#parts;
    this.#takingUp.add(account);
    // Of these it is known: they have begun before, and nothing begins from here on.
    const underWay = new Set([...this.#sending, ...this.#results.unwritten]);
    this.#observations.know(await store.commands.sentIds(REMEMBERED_REPLIES, account));
    await this.#brakeTakesOver(account);
    await this.#doubts.takeUp(account, underWay);
    await this.#handovers.takeUp(account);
    this.#takingUp.delete(account);
    for (const chat of await store.commands.waitingChats(account)) this.#chats.offer(chat);
  }

  /** Another process has written something of the account: commands of the outbox, or what an operator says of a doubt. */
  async look(account: string): Promise<void> {
    await this.#doubts.look(account);
    for (const chat of await this.#parts.store.commands.waitingChats(account)) this.offer(chat);
  }

  /** An account is to be given back: resolves when the sends that are under way have ended. */
  async leave(): Promise<void> {
    await this.#chats.settled();
  }

  /** An account is another process's now. Its lanes end by themselves: there is nothing to read in them. */
  letGo(account: string): void {
    this.#takingUp.delete(account);
    this.#results.letGo(account);
    this.#doubts.letGo(account);
    this.#handovers.letGo(account);
  }

  /** A chat has new commands, or its pause has begun or ended. */
  offer(chat: number): void {
    this.#chats.release("pause", chat);
    this.#chats.offer(chat);
  }

  /**
   * Has the answer to a message recorded, and its first reply handed over where that may go at once: its intent to send
   * is in the same commit then, one less that the customer waits for. Whatever else there is to send is to be offered.
   * Resolves and rejects as `record` does.
   */
  async answer(
    message: Pick<PendingMessage, "chat" | "account_id" | "chat_id">,
    record: (handOver?: HandOver) => Promise<RecordedCommand[]>,
  ): Promise<RecordedCommand[]> {
    const end = this.#reserve(message);
    if (!end) return record();
    const { chat, account_id, chat_id } = message;
    const { gateway } = this.#parts;
    const linked = gateway.state.accounts.get(account_id)?.number ?? null;
    const gatewayProcess = gateway.process?.id ?? null;
    const behind = this.#results.onItsWay(chat);
    let recorded: RecordedCommand[] = [];
    try {
      recorded = await record({ account_id, chat_id, gatewayProcess, linked, behind });
      return recorded;
    } finally {
      const isLast = !recorded.some(({ outcome }) => outcome === "pending");
      end(recorded.find(({ handed }) => handed)?.handed, isLast);
    }
  }

  /** A command is in doubt that nobody has handed over since the start: a restore has lost what became of it. */
  doubt(id: number): void {
    // Nothing waits for it: it was handed to nobody, so that nobody can be asked to send it.
    void this.#addDoubt(id);
  }

  /** Has the operator resolve a doubt; null: not now, since OpenClaw is being asked for it again, and may send it. */
  resolving<Result>(id: number, resolve: () => Promise<Result>): Promise<Result | null> {
    return this.#doubts.resolving(id, resolve);
  }

  /** The operator has resolved a command in doubt of this chat: it may wait to be sent again, or others may have waited for it. */
  resolved(id: number, chat: number): void {
    this.#doubts.forget(id);
    this.#chats.release("doubt", chat);
    this.#chats.offer(chat);
  }

  /** The operator pauses a chat: nothing is sent there from now on, but what is being sent. Rejects when the store fails. */
  pause(chat: ChatAddress, pause: Pause): Promise<void> {
    return this.#parts.store.pauses.pause(chat, pause);
  }

  /** The operator ends every pause of a chat. Resolves with whether there was one; rejects when the store fails. */
  async resume(address: ChatAddress): Promise<boolean> {
    const chat = await this.#parts.store.pauses.resume(address);
    if (chat !== null) this.offer(chat);
    return chat !== null;
  }

  /** Goes on with other limits: what waits for one of the former is looked at again. */
  adopt({ pace, brake, formerNumbers, outbound }: RepliesLimits): void {
    this.#pace.adopt(pace);
    this.#outbound.adopt(outbound);
    this.#brake.adopt(brake);
    this.#numbers.adopt(formerNumbers);
    for (const cause of ["brake", "number", "outbound"] as const) this.#chats.release(cause);
  }

  /** The gateway has sent a text. */
  observe(observation: Observation): void {
    this.#observations.add(observation);
    // Of a reply in OpenClaw's queue it is certain that it was not answered for.
    this.#handovers.observed(observation.accountId, observation.chatId);
    this.#doubts.observed(observation.accountId, observation.chatId);
  }

  /** The gateway has dropped a text from its own queue. */
  dropped(drop: Drop): void {
    this.#handovers.dropped(drop);
  }

  /** Why the replies of a chat wait just now, as a sentence; null: they don't. */
  whyWaits(chat: number): string | null {
    const { store, clock } = this.#parts;
    if (store.outage) return "the database can't be written";
    const now = clock.uptimeMs();
    const rest = this.#chats.restOf(chat);
    const all = this.#restOfAll(now);
    const isShorter = (rest?.cause === "backoff" || rest?.cause === "pacing") && rest.until < all.until;
    if (rest && rest.until > now && !isShorter) return sentenceOf(rest.cause, rest.until - now);
    return all.until > now && !this.#sending.has(chat) ? sentenceOfAll(all.cause, all.until - now) : null;
  }

  /** What an operator wants to know. `problems`: what only the operator can change, with what to do. */
  get status() {
    const heldChats = this.#brake.heldChats(this.#parts.clock.uptimeMs());
    const refused = this.#refusals.problems;
    const problems = [...this.#locks.problems, ...this.#numbers.problems, ...refused];
    const conditions = { locks: this.#locks.all, numbers: this.#numbers.all, refused, runaway: this.#lastRunaway };
    const underWay = this.#chats.underWay + this.#handovers.underWay + this.#results.onTheirWay;
    return { problems, ...conditions, underWay, heldChats, handovers: this.#handovers.status };
  }

  /**
   * Begins no more sends and waits for those under way. What could not be written is tried once more: at the next
   * start it would be in doubt.
   */
  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([this.#doubts.stop(), this.#handovers.stop(), this.#chats.stop()]);
    this.#files.stop();
    await Promise.allSettled(this.#results.unwritten.map((chat) => this.#results.write(chat)));
  }

  /** The gateway's state has changed: what waited for that goes on, and nothing else. */
  #changed(): void {
    const { gateway } = this.#parts;
    const { link, process, accounts } = gateway.state;
    for (const accountId of accounts.keys())
      if (gateway.canSend(accountId)) this.#chats.release(`account ${accountId}`);
    this.#chats.release("number");
    this.#doubts.ask();
    this.#handovers.changed();
    if (link !== "up" || process === null || process.id === this.#gatewayProcess) return;
    this.#gatewayProcess = process.id;
    this.#chats.release("operator");
  }

  #admit(now: number): Admission {
    // The intent to send could not be written down.
    if (this.#faults.isOutage) return { notBefore: Number.POSITIVE_INFINITY };
    const { until: notBefore } = this.#restOfAll(now);
    return notBefore > now ? { notBefore } : "due";
  }

  /** What no reply goes before, in whatever chat. */
  #restOfAll(now: number): Rest<CauseOfAll> {
    const [pace, gateway] = [this.#pace.nextAt(now), this.#refusals.notBefore];
    return gateway > pace ? { cause: "gateway", until: gateway } : { cause: "pace", until: pace };
  }

  /**
   * Takes a chat whose next reply would go at once, whatever it says; null where it would not, or that is to be found out
   * by its turn. It counts as under way until what is returned is called with the reply, if there is one.
   */
  #reserve({ chat, account_id: account, chat_id: to }: Pick<PendingMessage, "chat" | "account_id" | "chat_id">) {
    const { store, gateway, clock } = this.#parts;
    const now = clock.uptimeMs();
    if (!store.messages.handsOver || this.#takingUp.size > 0) return null;
    if (this.#results.isHeldUp(chat) || !gateway.canSend(account)) return null;
    if (this.#doubts.blocks(chat) || this.#handovers.blocks(chat) || this.#locks.concerns(account)) return null;
    if (this.#brake.freeAt(chat) > now) return null;
    const reserved = this.#chats.reserve(chat);
    if (!reserved) return null;
    const turn = this.#pace.take(now);
    this.#sending.add(chat);
    return (command: NextCommand | undefined, isLast: boolean) =>
      reserved(async () => {
        if (command) return await this.#sendRecorded(command, isLast, now, turn.restMs);
        this.#sending.delete(chat);
        // What was seen meanwhile might have been of a reply that was on its way.
        this.#doubts.observed(account, to);
        turn.giveBack();
        return "empty";
      });
  }

  /** The next step of a chat: one command at the most. Rejects when the store fails. */
  async #takeTurn(chat: number): Promise<Verdict<Cause>> {
    const turn = this.#pace.take(this.#parts.clock.uptimeMs());
    let ready: Ready | Verdict<Cause> | undefined;
    try {
      ready = await this.#look(chat);
    } finally {
      if (!isReady(ready)) turn.giveBack();
    }
    const verdict = isReady(ready) ? await this.#send(ready, turn.restMs) : ready;
    // A chat that rests would not find out that this came to nothing.
    if (typeof verdict === "object" && this.#results.onItsWay(chat) !== null) return await this.#results.write(chat);
    return verdict === "empty" ? this.#empty(chat) : verdict;
  }

  /** What a chat has to send now, which counts as under way then; or else what becomes of the chat. */
  async #look(chat: number): Promise<Ready | Verdict<Cause>> {
    if (this.#results.isHeldUp(chat)) return await this.#results.write(chat);
    const command = await this.#next(chat);
    if (!command) return "empty";
    if (command instanceof RowUnreadableError) return await this.#giveUp(command);
    // All chats with something to send are offered at its end.
    if (this.#takingUp.has(command.account_id) || this.#takingUp.has(undefined)) return "empty";
    if (command.outbound !== null && !this.#outbound.isOn) return await this.#results.refuse(command, OUTBOUND_OFF);
    // From here on nothing is awaited: what is found to hold it is so until it is handed over.
    const now = this.#parts.clock.uptimeMs();
    const rest = this.#restOf(command, now);
    if (rest) return rest;
    const attached = this.#files.of(command);
    if (attached instanceof RowUnreadableError) return await this.#giveUp(attached);
    if (attached.state === "waits") return { cause: "file", until: now + ASK_AGAIN_MS };
    if (attached.state === "failed") return await this.#results.refuse(command, attached.reason);
    const lockedMs = this.#locks.hold(chat, command.account_id, command.chat_id);
    if (lockedMs > 0) return { cause: "lock", until: now + lockedMs };
    if (command.outbound !== null) this.#outbound.spend(command.account_id, now);
    // Here, in the same turn: an account that is taken up from now on finds it under way, and not interrupted.
    this.#sending.add(chat);
    return { command, file: attached.file };
  }

  /** What holds a chat's next command; null: it may go, with its file. */
  #restOf(command: NextCommand, now: number): Rest<Cause> | null {
    const { gateway } = this.#parts;
    const { chat, account_id: account, pausedMs, writtenTo } = command;
    if (pausedMs > 0) {
      this.#nothingWaits(chat);
      return { cause: "pause", until: now + pausedMs };
    }
    const askAgainAt = now + ASK_AGAIN_MS;
    if (this.#doubts.blocks(chat)) return { cause: "doubt", until: askAgainAt };
    if (this.#handovers.blocks(chat)) return { cause: "handover", until: askAgainAt };
    if (!gateway.canSend(account)) return { cause: `account ${account}`, until: askAgainAt };
    const linked = gateway.state.accounts.get(account)?.number ?? null;
    if (this.#numbers.holds(chat, account, { linked, writtenTo })) return { cause: "number", until: askAgainAt };
    const held = this.#brake.hold(chat, now);
    if (held.isNew) this.#runaway(command);
    if (held.ms > 0) return { cause: "brake", until: now + held.ms };
    const pacedUntil = command.outbound === null ? now : this.#outbound.nextAt(account, now);
    return pacedUntil > now ? { cause: "outbound", until: pacedUntil } : null;
  }

  /** A command that waits can't be read: for what its chat rests, or it goes on behind it. */
  async #giveUp(error: RowUnreadableError): Promise<Verdict<Cause>> {
    return (await this.#results.giveUp(error.row, "pending", "failed", error)) ?? "more";
  }

  #empty(chat: number): "empty" {
    this.#nothingWaits(chat);
    return "empty";
  }

  /** No reply of the chat waits for what the operator could change. */
  #nothingWaits(chat: number): void {
    this.#refusals.over(chat);
    this.#numbers.over(chat);
    this.#locks.over(chat);
  }

  /** What earlier runs have sent counts too. Of what a clock that was set back takes for the future nobody knows when it was. */
  async #brakeTakesOver(account: string | undefined): Promise<void> {
    const { store, clock } = this.#parts;
    const now = clock.now();
    for (const { chat, at } of await store.commands.sentBetween(now - BRAKE_LOOKS_BACK_MS, now, account))
      this.#brake.sent(chat, clock.uptimeMs() - (now - at));
  }

  #runaway(command: WaitingCommand): void {
    this.#lastRunaway = command;
    this.#parts.onRunaway(command);
  }

  async #addDoubt(id: number): Promise<void> {
    const { store, log } = this.#parts;
    try {
      const command = await store.commands.doubt(id);
      if (command) this.#doubts.add(command);
    } catch (error) {
      const what = "a reply in doubt can't be read: nobody is asked for a proof that it was sent";
      log.error({ command: id, err: error, alarm: true }, `${what}. ${RESTORE}`);
    }
  }

  async #next(chat: number): Promise<NextCommand | RowUnreadableError | undefined> {
    try {
      return await this.#parts.store.commands.nextOf(chat);
    } catch (error) {
      if (error instanceof RowUnreadableError) return error;
      throw error;
    }
  }

  /** Sends one command, and writes down what came of it. */
  async #send({ command, file }: Ready, restMs: number): Promise<Verdict<Cause>> {
    const { store, gateway } = this.#parts;
    const { id, chat } = command;
    const begunAt = this.#parts.clock.uptimeMs();
    try {
      const call = callOf(command, file);
      const behind = this.#results.onItsWay(chat);
      const handed = await store.commands.sending(id, gateway.process?.id ?? null, behind);
      if (!handed) return "more";
      await this.#handOver({ ...command, ...handed }, call, begunAt, restMs);
    } catch (error) {
      if (error instanceof UnsendableError) return await this.#results.refuse(command, error.message);
      // It could not be read, or the intent not be written, so nothing was sent.
      if (!isDamage(error)) throw error;
      return (await this.#results.giveUp(id, "pending", "failed", error)) ?? "more";
    } finally {
      this.#sending.delete(chat);
      this.#files.over(id);
    }
    return await this.#writeResult(chat, "more");
  }

  /**
   * Sends a command that was recorded as `sending`, and has written down what came of it. `isLast`: nothing of its answer waits
   * behind it. `begunAt`: see #handOver.
   */
  async #sendRecorded(command: NextCommand, isLast: boolean, begunAt: number, restMs: number): Promise<Verdict<Cause>> {
    const { chat } = command;
    try {
      await this.#handOver(command, callOf(command, null), begunAt, restMs);
    } finally {
      this.#sending.delete(chat);
    }
    const verdict = await this.#writeResult(chat, isLast ? "empty" : "more");
    this.#faults.passed(chat);
    return verdict === "empty" ? this.#empty(chat) : verdict;
  }

  /**
   * Has it written down what came of a send. Where that is all that is left of it, nobody waits: the chat's next reply may go
   * meanwhile, its intent in the same commit. `then`: what becomes of the chat in that case.
   */
  async #writeResult(chat: number, then: "more" | "empty"): Promise<Verdict<Cause>> {
    if (!this.#parts.store.messages.handsOver || !this.#results.canWait(chat)) return await this.#results.write(chat);
    void this.#results.writeLater(chat).then((isWritten) => {
      if (!isWritten) this.#chats.offer(chat);
    });
    return then;
  }

  /** Hands over a command that is `sending`, and keeps what came of it. `begunAt`: when the chat was found free, monotonic ms. */
  async #handOver(command: NextCommand, call: GatewayCall, begunAt: number, restMs: number): Promise<void> {
    const { gateway, clock } = this.#parts;
    const { chat, account_id: accountId, chat_id: to, command_id: commandId } = command;
    failpoint("send:before");
    const askedAt = clock.uptimeMs();
    const outcome = await gateway.send({ accountId, to, call, commandId });
    failpoint("send:after");
    const durationMs = clock.uptimeMs() - askedAt;
    this.#width.answered(outcome.kind === "sent" ? durationMs : Number.POSITIVE_INFINITY);
    this.#parts.onAnswered?.(outcome, durationMs, accountId);
    if (outcome.kind === "sent") {
      this.#observations.account(outcome.whatsappMessageId);
      this.#unlockedBy(accountId, to, begunAt);
    }
    if (outcome.kind === "queued_by_gateway" && outcome.timeLock) this.#locks.refused(accountId, outcome.timeLock);
    this.#results.add({ command, outcome, at: clock.now(), ...this.#judge(chat, outcome, restMs) });
  }

  /** What becomes of the chat, and what the operator has to be told. */
  #judge(chat: number, outcome: SendOutcome, restMs: number): { verdict: Verdict<Cause>; raised: string | null } {
    const paced = this.#parts.clock.uptimeMs() + restMs;
    if (outcome.kind === "not_sent") {
      const { rest, raised } = this.#refusals.add(chat, outcome);
      return { verdict: { cause: rest.cause, until: Math.max(rest.until, paced) }, raised };
    }
    this.#refusals.over(chat);
    if (outcome.kind !== "failed") this.#brake.sent(chat, this.#parts.clock.uptimeMs());
    return { verdict: restMs > 0 ? { cause: "pacing", until: paced } : "more", raised: null };
  }

  /** What came of a send is on disk. */
  #written(command: WaitingCommand, outcome: SendOutcome): void {
    if (outcome.kind === "not_sent") return;
    if (outcome.kind === "in_doubt" && outcome.partial !== true)
      this.#doubts.add({ ...command, asked_process: null, alarmed_at: null });
    if (outcome.kind === "queued_by_gateway") this.#handovers.add(followed(command));
    this.#doubts.observed(command.account_id, command.chat_id);
  }

  /** OpenClaw has a reply no longer in its queue, and that is on disk. */
  #handoverEnded(handover: Handover, end: HandoverEnd): void {
    const { chat, accountId, chatId } = handover;
    if (end.to === "in_doubt") this.#doubts.addHandover(handover);
    if (end.to === "sent") this.#unlockedBy(accountId, chatId, Number.POSITIVE_INFINITY);
    if (end.to === "pending") this.#chats.offer(chat);
    this.#chats.release("handover", chat);
  }

  #unlockedBy(accountId: string, chatId: string, begunAt: number): void {
    if (this.#locks.sent(accountId, chatId, begunAt)) this.#chats.release("lock");
  }
}

function isReady(found: Ready | Verdict<Cause> | undefined): found is Ready {
  return typeof found === "object" && "command" in found;
}
