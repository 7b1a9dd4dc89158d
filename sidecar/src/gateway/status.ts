import { describeIssues, LogThrottle, reasonOf } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { type AccountState, accountState, readAccount } from "./account.ts";
import { channelsStatus, numberOf } from "./answers.ts";
import type { Link } from "./link.ts";
import type { GatewayTiming } from "./types.ts";

/** Least time between two questions, in ms: a gateway that refuses many sends at once must not be asked for its status as often. */
const MIN_POLL_GAP_MS = 250;

export type Accounts = ReadonlyMap<string, AccountState>;

/** When a status was asked for, by both clocks of `Clock`: what it says was so then, or later. */
export interface AskedAt {
  readonly now: number;
  readonly uptimeMs: number;
}

interface StatusEvents {
  /** With each answer, and with `unknown` for all accounts when there is none to believe; `again`: the one before was no longer fresh, so `isFresh` has changed as well. */
  changed(accounts: Accounts, again: boolean): void;
  /** With each answer, and nothing else. */
  answered(accounts: Accounts, asked: AskedAt): void;
}

export interface StatusWatch {
  /** Asks now, and from then on every `pollMs`. An answer that is under way counts no more. */
  ask(): void;
  /** Whether the accounts were asked for less than `freshMs` ago, and nothing spoke against them since. */
  isFresh(): boolean;
  /** What was known is believed no longer. Returns the accounts, all `unknown`, without calling `changed`. */
  forget(): Accounts;
  /** Asks no more until the next `ask`. */
  stop(): void;
}

/** Keeps asking the gateway how its WhatsApp accounts are. */
export function watchStatus(
  link: () => Link,
  { log, clock, timing }: { log: Logger; clock: Clock; timing: GatewayTiming },
  { changed, answered }: StatusEvents,
): StatusWatch {
  let accounts: Accounts = new Map();
  /** `clock.uptimeMs()` when they were asked for; -Infinity when they are not to be believed. */
  let knownAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  /** Grows with `ask`, `forget` and `stop`: an answer to a question from before one of them is dropped. */
  let round = 0;
  let running = false;
  const throttle = new LogThrottle({ everyMs: Number.POSITIVE_INFINITY });
  let timer: NodeJS.Timeout | undefined;

  const isFresh = () => clock.uptimeMs() - knownAt <= timing.freshMs;

  function ask(): void {
    running = true;
    round += 1;
    const gapMs = Math.min(timing.pollMs, MIN_POLL_GAP_MS) - (clock.uptimeMs() - askedAt);
    schedule(Math.max(0, gapMs));
  }

  function schedule(delayMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void poll(), delayMs);
  }

  async function poll(): Promise<void> {
    const mine = round;
    const asked = { now: clock.now(), uptimeMs: clock.uptimeMs() };
    askedAt = asked.uptimeMs;
    try {
      const params = { channel: "whatsapp", probe: false };
      const answer = await link().request("channels.status", params, { timeoutMs: timing.statusTimeoutMs });
      if (mine === round) read(answer, asked);
    } catch (error) {
      if (mine !== round) return;
      // One miss happens on a busy machine, and changes nothing while the last answer is fresh.
      complain(reasonOf(error));
      if (!isFresh()) changed(forgetAll(), false);
    }
    if (running && mine === round) schedule(timing.pollMs);
  }

  function read(answer: unknown, asked: AskedAt): void {
    const parsed = channelsStatus.safeParse(answer);
    if (!parsed.success) {
      complain(`cannot be read; no reply is sent until it can: ${describeIssues(parsed.error)}`);
      changed(forgetAll(), false);
      return;
    }
    throttle.over();
    const again = !isFresh();
    knownAt = asked.uptimeMs;
    const now = (parsed.data.channelAccounts.whatsapp ?? []).map((account) => {
      const { accountId: id } = account;
      // Not told while no phone is linked, or OpenClaw can't read it at that instant: it is the one of before, for all that is known.
      return [id, readAccount(account, numberOf(parsed.data, id) ?? accounts.get(id)?.number ?? null)] as const;
    });
    accounts = new Map([...unknown(accounts), ...now]);
    changed(accounts, again);
    answered(new Map(now), asked);
  }

  function complain(reason: string): void {
    throttle.log(() => log.warn({ reason }, "gateway: channels.status failed"));
  }

  function forgetAll(): Accounts {
    knownAt = Number.NEGATIVE_INFINITY;
    accounts = new Map(unknown(accounts));
    return accounts;
  }

  return {
    ask,
    isFresh,
    forget() {
      round += 1;
      return forgetAll();
    },
    stop() {
      running = false;
      round += 1;
      clearTimeout(timer);
    },
  };
}

const unknown = (accounts: Accounts) =>
  [...accounts].map(([id, { number }]) => [id, accountState("unknown", undefined, number)] as const);
