import { chatId, codeOf, describeIssues, maskAddress, shownId, shownName } from "@hotbags/shared";
import type { z } from "zod";
import {
  type ChatAddress,
  type CommandLife,
  type CommandRow,
  isDamage,
  type MessageRow,
  type OperatorReads,
  type OperatorStore,
  type Pause,
  type PausedChat,
  RESTORE,
  type ReadEntry,
  type Repaired,
  StoreUnwritableError,
} from "../store/index.ts";
import { withoutQuotes } from "./quotes.ts";
import { type Input, type LoginState, type NamedFinding, type Output, ROUTES, type RouteName } from "./schemas.ts";

/** The last instant that a Date can be. */
const MAX_TIME_MS = 8.64e15;

/** Rows of a list where nobody says how many. */
const DEFAULT_LIMIT = 50;

interface MessageWait {
  /** Goes on from "It waits for". */
  reason: string;
  /** Wall-clock ms; null: that hangs on something else. */
  until: number | null;
}

/** What the API needs of a running sidecar. */
export interface Running {
  store: OperatorStore;
  /** Told of a chat with a message that waits again. */
  onRetry(chat: number): void;
  /** Runs what resolves a doubt; null: not now, since OpenClaw is being asked for it again, and may send it. */
  resolving<Result>(id: number, resolve: () => Promise<Result>): Promise<Result | null>;
  /** Told of a command that is in doubt no more, and of its chat. */
  onResolved(id: number, chat: number): void;
  pause(chat: ChatAddress, pause: Pause): Promise<void>;
  /** Resolves with whether it was paused. */
  resume(chat: ChatAddress): Promise<boolean>;
  /** Why the replies of a chat wait just now, as a sentence; null: they don't, or nobody knows. */
  whyWaits(chat: ChatAddress): Promise<string | null>;
  /** Why a message that is pending waits just now; null: it is about to go. */
  whyMessageWaits(id: number, chat: ChatAddress, isDetached: boolean): Promise<MessageWait | null>;
  config(): Output<"config">;
  reload(who: string): Promise<Output<"reload">>;
  diagnose(testsAlert: boolean): Promise<NamedFinding[]>;
  accounts(): Output<"accounts">;
  /** Resolves with a refusal where the account is connected, or may be. */
  startLogin(accountId: string, who: string): Promise<LoginState>;
  waitLogin(accountId: string, qr: string): Promise<LoginState>;
  testAlerts(): Promise<Output<"testAlerts">["channels"]>;
}

interface ApiParts {
  reads: OperatorReads;
  /** Those that last, the oldest first, and `past` ones that are over, the newest first. */
  alerts(past: number): Output<"alerts">;
  /** Null: there is a database, but no sidecar runs on it. */
  running: Running | null;
  status(): Output<"status"> | Promise<Output<"status">>;
  pausedChats(): PausedChat[];
}

/** An answer that is not the one asked for. `status`: HTTP's. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const NOT_RUNNING = "the sidecar does not run, so that nothing can be changed: start it, and ask again";

/** What anything waits for then. */
const SIDECAR_STOPPED = "the sidecar, which does not run: it goes on when that is started";

type Handlers = { [Name in RouteName]: (input: Input<Name>, id: number, who: string) => Promise<Output<Name>> };

/** Answers what an operator asks, whichever way it came. Texts are given to nobody whose name is not in the audit. */
export class OperatorApi {
  readonly #parts: ApiParts;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** `input`: as it came. `id`: of the path; 0 where it has none. `who`: the system user. Rejects with OperatorError. */
  async answer<Name extends RouteName>(name: Name, input: unknown, id: number, who: string): Promise<Output<Name>> {
    const route = ROUTES[name];
    const parsed = route.input.safeParse(input);
    if (!parsed.success) throw new OperatorError(400, describeIssues(parsed.error));
    const handler = this.#handlers[name] as (input: unknown, id: number, who: string) => Promise<unknown>;
    return route.output.parse(await handler(parsed.data, id, who).catch(explain)) as Output<Name>;
  }

  readonly #handlers: Handlers = {
    status: async () => this.#parts.status(),

    messages: async ({ state, chat, since, message_id, before, limit = DEFAULT_LIMIT }) => {
      const { reads } = this.#parts;
      if (message_id !== undefined)
        return { messages: await this.#messages(await reads.messagesWithId(message_id)), next: null, unreadable: [] };
      const filter = { states: state, chatId: chat, since: since === undefined ? undefined : Date.parse(since) };
      const { rows, next, unreadable } = await reads.messages(filter, before ?? null, limit);
      const { sound, unsound } = sift(ROUTES.messages.output.shape.messages.element, await this.#messages(rows));
      return { messages: sound, next, unreadable: [...unreadable, ...unsound] };
    },

    message: async ({ content }, id, who) => {
      const life = await this.#parts.reads.message(id);
      if (!life) throw new OperatorError(404, `there is no message ${id}`);
      const { request, response, failed_attempts, commands, retries, ...rest } = life;
      const shown = {
        ...(await this.#message(rest)),
        failed_attempts: failed_attempts.map((attempt) => ({ ...attempt, at: iso(attempt.at) })),
        retries: retries.map(({ at, who }) => ({ at: iso(at), who })),
        commands: commands.map(showCommand),
      };
      if (content !== "true") return shown;
      await this.#noteLook("message", id, who);
      return { ...shown, request: readJson(request), response: readJson(response) };
    },

    retry: async ({ ids }, _id, who) => {
      const { store, onRetry } = this.#running;
      return { results: await each(ids, (id) => store.retry(id, who), onRetry) };
    },

    discard: async ({ ids }, _id, who) => {
      const { store } = this.#running;
      return {
        results: await each(
          ids,
          (id) => store.discard(id, who),
          () => {},
        ),
      };
    },

    commands: async ({ state, chat, since, command_id, before, limit = DEFAULT_LIMIT }) => {
      const { reads } = this.#parts;
      if (command_id !== undefined) {
        const row = await reads.commandWithId(command_id);
        return { commands: row ? [showCommand(row)] : [], next: null, unreadable: [] };
      }
      const filter = { states: state, chatId: chat, since: since === undefined ? undefined : Date.parse(since) };
      const { rows, next, unreadable } = await reads.commands(filter, before ?? null, limit);
      const { sound, unsound } = sift(ROUTES.commands.output.shape.commands.element, rows.map(showCommand));
      return { commands: sound, next, unreadable: [...unreadable, ...unsound] };
    },

    command: async ({ content }, id, who) => {
      const found = await this.#parts.reads.command(id);
      if (!found) throw new OperatorError(404, `there is no command ${id}`);
      const { text, details, file_bytes, said: heard, ...rest } = found;
      const waits_for = found.state === "pending" ? await this.#whyReplyWaits(found) : undefined;
      const shown = { ...showCommand(rest), waits_for };
      if (content !== "true") return { ...shown, said: heard && (await this.#withoutQuotes(heard, found)) };
      await this.#noteLook("command", id, who);
      return { ...shown, said: heard, text, details: readJson(details), file_bytes };
    },

    resolve: async ({ as }, id, who) => {
      const { store, onResolved, resolving } = this.#running;
      const repaired = await resolving(id, () => store.resolve(id, as, who));
      if (repaired === null) return { id, done: false, reason: BEING_ASKED };
      if (repaired.done) onResolved(id, repaired.chat);
      else if (!repaired.found) throw new OperatorError(404, `there is no command ${id}`);
      return showRepaired(id, repaired);
    },

    pausedChats: async () => {
      const chats = this.#parts.pausedChats().map(({ chat: _, leftMs, ...pause }) => ({
        ...pause,
        until: iso(Date.now() + leftMs),
      }));
      return { chats };
    },

    pause: async ({ account_id, chat_id, for_seconds, replies }, _id, who) => {
      const chat = { accountId: account_id, chatId: chat_id };
      const forMs = for_seconds * 1_000;
      const is_new = (await this.#parts.reads.chat(account_id, chat_id)) === undefined;
      await this.#running.pause(chat, { forMs, replies });
      await this.#noteChat(chat, `pause ${maskAddress(chat_id)} for ${for_seconds} s, ${replies} replies`, "done", who);
      return { until: iso(Date.now() + forMs), is_new };
    },

    resume: async ({ account_id, chat_id }, _id, who) => {
      const chat = { accountId: account_id, chatId: chat_id };
      const was_paused = await this.#running.resume(chat);
      await this.#noteChat(chat, `resume ${maskAddress(chat_id)}`, was_paused ? "done" : "it was not paused", who);
      return { was_paused };
    },

    config: async () => this.#running.config(),

    reload: async (_input, _id, who) => this.#running.reload(who),

    diagnose: async ({ test_alert = false }) => ({ findings: await this.#running.diagnose(test_alert) }),

    accounts: async () => this.#running.accounts(),

    startLogin: async ({ account_id }, _id, who) => this.#running.startLogin(account_id, who),

    waitLogin: async ({ account_id, qr }) => this.#running.waitLogin(account_id, qr),

    alerts: async ({ limit = DEFAULT_LIMIT }) => this.#parts.alerts(limit),

    testAlerts: async () => ({ channels: await this.#running.testAlerts() }),

    forget: async (
      { number, after = 0, left = 0, forgotten = 0, including_waiting = false, dry_run = false },
      _id,
      who,
    ) => {
      if (dry_run) {
        const counted = await this.#parts.reads.find(number, after);
        return { ...counted, forgotten: 0, left: 0, number_gone: false, log_cleared: false };
      }
      const { store, onRetry, onResolved } = this.#running;
      const request = { number, after, left, forgotten, includingWaiting: including_waiting };
      const { isNumberGone, isLogCleared, chats, resolved, ...erased } = await store.forget(request, who);
      // Their lanes look again, and find nothing.
      for (const chat of new Set(chats)) onRetry(chat);
      for (const { id, chat } of resolved) onResolved(id, chat);
      return { ...erased, number_gone: isNumberGone, log_cleared: isLogCleared };
    },

    backedUp: async ({ bytes }, _id, who) => {
      const entry = { who, action: "back up", kind: "backup", subject: 0, result: `done, ${bytes} bytes` } as const;
      await this.#running.store.note(entry);
      return {};
    },

    audit: async ({ before, since, limit = DEFAULT_LIMIT }) => {
      const page = await this.#parts.reads.audit(before ?? null, limit);
      const from = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since);
      const entries = page.filter(({ at }) => at >= from);
      const isLast = page.length < limit || entries.length < page.length;
      return { entries: entries.map(showEntry), next: isLast ? null : (page.at(-1)?.id ?? null) };
    },
  };

  #messages<Row extends MessageRow>(rows: Row[]) {
    return Promise.all(rows.map((row) => this.#message(row)));
  }

  /** With why it waits, of one that does. */
  async #message<Row extends MessageRow>(row: Row) {
    const shown = showMessage(row);
    if (row.state !== "pending" && row.state !== "detached") return shown;
    const { running } = this.#parts;
    if (!running) return { ...shown, waits_for: SIDECAR_STOPPED, waits_until: null };
    const chat = { accountId: row.account_id, chatId: row.chat_id };
    const wait = await running.whyMessageWaits(row.id, chat, row.state === "detached");
    return { ...shown, waits_for: wait?.reason ?? null, waits_until: isoOrNull(wait?.until ?? null) };
  }

  async #whyReplyWaits({ account_id, chat_id }: CommandRow): Promise<string | null> {
    const { running } = this.#parts;
    return running ? running.whyWaits({ accountId: account_id, chatId: chat_id }) : SIDECAR_STOPPED;
  }

  /** What the gateway said of a command, without what it quotes of that or of the message that it came back for. */
  async #withoutQuotes(said: string, { text, message }: CommandLife): Promise<string> {
    const request = readJson((await this.#parts.reads.message(message))?.request ?? null);
    const asked = (request as { text?: unknown } | null)?.text;
    return withoutQuotes(
      said,
      [text, asked].filter((words) => typeof words === "string"),
    );
  }

  /** Before the words are given: nobody reads them whose name can't be written down. */
  #noteLook(kind: "message" | "command", subject: number, who: string): Promise<void> {
    return this.#running.store.note({ who, action: "read the text", kind, subject, result: "done" });
  }

  /** The audit has no number of a customer's: a chat is named by its own. */
  async #noteChat({ accountId, chatId }: ChatAddress, action: string, result: string, who: string): Promise<void> {
    const subject = await this.#parts.reads.chat(accountId, chatId);
    if (subject !== undefined) await this.#running.store.note({ who, action, kind: "chat", subject, result });
  }

  get #running(): Running {
    const { running } = this.#parts;
    if (!running) throw new OperatorError(503, NOT_RUNNING);
    return running;
  }
}

/** Throws OperatorError for what is wrong with the store, else what it was given. */
function explain(error: unknown): never {
  if (error instanceof StoreUnwritableError) throw new OperatorError(503, error.message);
  if (isDamage(error))
    throw new OperatorError(
      503,
      `a page of the database that this needs can't be read (${codeOf(error)}): hotbags doctor says what is damaged. ${RESTORE}`,
    );
  throw error;
}

/**
 * One after the other, in their order: messages of one chat go in it. One that fails, as for a damaged page, is not the
 * others'. `onDone`: told of each chat once, when all of them are through.
 */
async function each(ids: number[], repair: (id: number) => Promise<Repaired>, onDone: (chat: number) => void) {
  const results = [];
  const chats = new Set<number>();
  for (const id of ids) {
    const repaired = await repair(id).catch(notRepaired);
    if (repaired.done) chats.add(repaired.chat);
    results.push(showRepaired(id, repaired));
  }
  for (const chat of chats) onDone(chat);
  return results;
}

function notRepaired(error: unknown): Repaired {
  const why = error instanceof StoreUnwritableError ? error.message : codeOf(error) || "see the sidecar's log";
  return { done: false, found: true, reason: `it could not be written (${why})` };
}

const BEING_ASKED = "OpenClaw is being asked about it at this moment, and may send it: look again in a minute";

function showRepaired(id: number, repaired: Repaired) {
  return { id, done: repaired.done, reason: repaired.done ? null : repaired.reason };
}

function showMessage<Row extends MessageRow>(row: Row) {
  const { received_at, settled_at, next_attempt_at } = row;
  return {
    ...row,
    received_at: iso(received_at),
    settled_at: isoOrNull(settled_at),
    next_attempt_at: isoOrNull(next_attempt_at),
  };
}

/** What a page of the database says can be read and be wrong all the same: such a row is named, and costs no other. */
function sift<Row extends { id: number }>(form: z.ZodType, rows: Row[]): { sound: Row[]; unsound: number[] } {
  const isSound = (row: Row) => form.safeParse(row).success;
  return { sound: rows.filter(isSound), unsound: rows.filter((row) => !isSound(row)).map(({ id }) => id) };
}

function showCommand(row: CommandRow) {
  const { created_at, sending_at, settled_at, type, whatsapp_message_id } = row;
  return {
    ...row,
    // Words of Hot Bags and of OpenClaw, who can put anything there.
    type: type && shownName(type),
    whatsapp_message_id: whatsapp_message_id && shownId(whatsapp_message_id),
    created_at: iso(created_at),
    sending_at: isoOrNull(sending_at),
    settled_at: isoOrNull(settled_at),
  };
}

/** What is left of a forgotten chat is a hash. */
function isKnown(chat: string | null): chat is string {
  return chatId.safeParse(chat).success;
}

function showEntry({ chat_id, ...entry }: ReadEntry) {
  return { ...entry, at: iso(entry.at), chat: isKnown(chat_id) ? maskAddress(chat_id) : null };
}

function readJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}

/** What a damaged row says may be no time at all. */
function iso(at: number): string {
  return new Date(Math.abs(at) <= MAX_TIME_MS ? at : 0).toISOString();
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : iso(at);
}
