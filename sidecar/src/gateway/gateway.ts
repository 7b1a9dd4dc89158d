import { describeIssues, maskAddress } from "@hotbags/shared";
import { systemClock } from "../clock.ts";
import { type AccountState, accountState, readAccount } from "./account.ts";
import { channelsStatus, type HelloOk, startAnswer } from "./answers.ts";
import { HISTORY_ROWS, keysIn, sessionKeyOf } from "./history.ts";
import { openLink } from "./link.ts";
import { outcomeOfAskingAgain, type SendOutcome } from "./outcome.ts";
import { type GatewayProcess, stillRemembers } from "./process.ts";
import { safeReason } from "./reason.ts";
import { sendOver } from "./send.ts";
import { DEFAULT_TIMING } from "./timing.ts";
import type { Gateway, GatewayOptions, GatewayState, SendRequest } from "./types.ts";

/** Least time between two questions for the status, in ms. */
const MIN_POLL_GAP_MS = 250;

/**
 * The sidecar's only contact with the OpenClaw gateway. Connects at once and keeps connecting; returns without waiting for it.
 * Nothing here throws for what the gateway does or says.
 */
export function openGateway(options: GatewayOptions): Gateway {
  const { url, token, log, clock = systemClock } = options;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const listeners = new Set<(state: GatewayState) => void>();
  let state: GatewayState = { link: "connecting", process: null, accounts: new Map() };
  let agentId = "main";
  /** `clock.uptimeMs()` when the accounts of `state` were asked for; -Infinity when they are not to be believed. */
  let statusAskedAt = Number.NEGATIVE_INFINITY;
  let polling = false;
  let polledAt = Number.NEGATIVE_INFINITY;
  let statusFails = false;
  let pollAgain = false;
  let pollTimer: NodeJS.Timeout | undefined;
  let closed = false;

  const link = openLink(url, token, log, timing, { up, trouble });

  /** `always`: what `canSend` says may have changed although the state did not. */
  function change(next: GatewayState, always = false): void {
    const same = sameForOthers(state, next);
    state = next;
    if (always || !same) for (const listener of [...listeners]) listener(next);
  }

  function up(hello: HelloOk): void {
    const { bootId, version } = hello.server;
    const process: GatewayProcess | null = bootId === undefined ? null : { id: bootId, version };
    if (process === null)
      log.warn("gateway: it does not say which process it is, so a lost answer can never be asked for again");
    const scopes = hello.auth?.scopes;
    if (scopes && !scopes.includes("operator.write") && !scopes.includes("operator.admin")) {
      log.error({ scopes }, "gateway: this token may not send; set OPENCLAW_GATEWAY_TOKEN to gateway.auth.token");
    }
    agentId = hello.snapshot?.sessionDefaults.defaultAgentId ?? "main";
    log.info({ gateway_process: bootId, version }, "gateway: connected");
    change({ link: "up", process, accounts: unknown(state.accounts) });
    pollSoon();
  }

  function trouble(found: { link: "down" | "refused"; reason: string }): void {
    clearTimeout(pollTimer);
    statusAskedAt = Number.NEGATIVE_INFINITY;
    // Said once per change, not once per attempt: a gateway that is down for a night must not fill the log.
    if (state.link !== found.link || state.reason !== found.reason)
      log.warn({ link: found.link }, `gateway: ${found.reason}`);
    change({ ...found, process: null, accounts: unknown(state.accounts) });
  }

  const isFresh = () => clock.uptimeMs() - statusAskedAt <= timing.freshMs;

  function pollSoon(): void {
    if (closed) return;
    if (polling) {
      pollAgain = true;
      return;
    }
    clearTimeout(pollTimer);
    // A gateway that refuses many sends at once must not be asked for its status as often.
    const sinceMs = clock.uptimeMs() - polledAt;
    pollTimer = setTimeout(() => void poll(), Math.max(0, Math.min(timing.pollMs, MIN_POLL_GAP_MS) - sinceMs));
  }

  async function poll(): Promise<void> {
    polling = true;
    pollAgain = false;
    const askedAt = clock.uptimeMs();
    polledAt = askedAt;
    const asked = state.process;
    try {
      const answer = await link.request(
        "channels.status",
        { channel: "whatsapp", probe: false },
        { timeoutMs: timing.statusTimeoutMs },
      );
      if (!pollAgain && state.process === asked) readStatus(answer, askedAt);
    } catch (error) {
      if (!statusFails && state.link === "up" && !closed) log.warn({ reason: reasonOf(error) }, "gateway: channels.status failed");
      statusFails = true;
      if (!isFresh()) forgetAccounts();
    } finally {
      polling = false;
      if (pollAgain) pollSoon();
      else if (!closed && state.link === "up") pollTimer = setTimeout(() => void poll(), timing.pollMs);
    }
  }

  function readStatus(answer: unknown, askedAt: number): void {
    const parsed = channelsStatus.safeParse(answer);
    if (!parsed.success) {
      if (!statusFails) {
        const issues = describeIssues(parsed.error);
        log.error({ issues }, "gateway: channels.status cannot be read; no reply is sent until it can");
      }
      statusFails = true;
      forgetAccounts();
      return;
    }
    const accounts = new Map(state.accounts);
    for (const [id] of accounts) accounts.set(id, accountState("unknown"));
    for (const account of parsed.data.channelAccounts.whatsapp ?? [])
      accounts.set(account.accountId, readAccount(account));
    const wasStale = !isFresh();
    statusAskedAt = askedAt;
    statusFails = false;
    change({ ...state, accounts }, wasStale);
  }

  function forgetAccounts(): void {
    statusAskedAt = Number.NEGATIVE_INFINITY;
    change({ ...state, accounts: unknown(state.accounts) });
  }

  async function send(request: SendRequest): Promise<SendOutcome> {
    const outcome = await sendOver(link, request, state.process, timing.sendTimeoutMs);
    if (outcome.kind !== "sent" && outcome.kind !== "failed") {
      // What made it fail will hit the next one too: believe no status from before.
      forgetAccounts();
      if (state.link === "up") pollSoon();
    }
    const { accountId, to, commandId } = request;
    log.debug(
      { command_id: commandId, account_id: accountId, to: maskAddress(to), outcome: outcome.kind },
      "gateway: send",
    );
    return outcome;
  }

  return {
    get state() {
      return state;
    },
    get process() {
      return state.process;
    },
    canSend(accountId) {
      return state.link === "up" && isFresh() && state.accounts.get(accountId)?.code === "connected";
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    send,
    async askAgain(request, first) {
      const process = state.process;
      if (!stillRemembers(process, first, clock.now())) {
        return { kind: "in_doubt", reason: "the gateway that was asked first no longer remembers", process };
      }
      return outcomeOfAskingAgain(await send(request), process);
    },
    async history(_accountId, chatId) {
      const sessionKey = sessionKeyOf(agentId, chatId);
      try {
        const answer = await link.request(
          "chat.history",
          { sessionKey, limit: HISTORY_ROWS },
          { timeoutMs: timing.historyTimeoutMs },
        );
        const keys = keysIn(answer);
        if (keys === null) log.error("gateway: chat.history cannot be read");
        return keys;
      } catch (error) {
        log.warn({ reason: reasonOf(error) }, "gateway: chat.history failed");
        return null;
      }
    },
    async startChannel(accountId) {
      try {
        const answer = await link.request(
          "channels.start",
          { channel: "whatsapp", accountId },
          { timeoutMs: timing.startTimeoutMs },
        );
        const parsed = startAnswer.safeParse(answer);
        if (parsed.success && parsed.data.started) return { started: true };
        return { started: false, reason: "OpenClaw did not start the account" };
      } catch (error) {
        return { started: false, reason: reasonOf(error) };
      } finally {
        pollSoon();
      }
    },
    async close() {
      closed = true;
      clearTimeout(pollTimer);
      listeners.clear();
      await link.close();
    },
  };
}

const reasonOf = (error: unknown) => safeReason(error instanceof Error ? error.message : String(error));

const unknown = (accounts: ReadonlyMap<string, AccountState>): ReadonlyMap<string, AccountState> =>
  new Map([...accounts.keys()].map((id) => [id, accountState("unknown")]));

/** Whether a change is none for those who listen: times and counters of an account change with every message. */
function sameForOthers(a: GatewayState, b: GatewayState): boolean {
  if (
    a.link !== b.link ||
    a.reason !== b.reason ||
    a.process?.id !== b.process?.id ||
    a.accounts.size !== b.accounts.size
  )
    return false;
  return [...b.accounts].every(([id, account]) => a.accounts.get(id)?.code === account.code);
}
