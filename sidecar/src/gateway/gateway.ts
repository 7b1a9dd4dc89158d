import { LogThrottle, maskAddress, reasonOf, shownName } from "@hotbags/shared";
import { systemClock } from "../clock.ts";
import { configAnswer, type HelloOk, pluginsList, startAnswer } from "./answers.ts";
import { HISTORY_ROWS, keysIn, sessionKeyOf } from "./history.ts";
import { openLink } from "./link.ts";
import { startLogin, waitLogin } from "./login.ts";
import { outcomeOfAskingAgain, type SendOutcome } from "./outcome.ts";
import { type GatewayProcess, stillRemembers } from "./process.ts";
import type { LinkTrouble } from "./refusal.ts";
import { sendOver } from "./send.ts";
import { watchStatus } from "./status.ts";
import { DEFAULT_TIMING } from "./timing.ts";
import type {
  Gateway,
  GatewayDeath,
  GatewayOptions,
  GatewayState,
  GatewayVersions,
  SendRequest,
  StatusReport,
} from "./types.ts";

/**
 * The sidecar's only contact with the OpenClaw gateway. Connects at once and keeps connecting; returns without waiting for it.
 * Nothing here throws for what the gateway does or says.
 */
export function openGateway(options: GatewayOptions): Gateway {
  const { url, token, log, clock = systemClock } = options;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const listeners = new Set<(state: GatewayState) => void>();
  const reports = new Set<(report: StatusReport) => void>();
  const mourners = new Set<(death: GatewayDeath) => void>();
  /** The link broke without a word: if another process answers next, the one before has died. */
  let lost: GatewayDeath | null = null;
  let state: GatewayState = { link: "connecting", process: null, accounts: new Map() };
  const linkThrottle = new LogThrottle({ everyMs: Number.POSITIVE_INFINITY });
  /** OpenClaw's own default, until the gateway names another. */
  let agentId = "main";
  let versions: GatewayVersions = { openclaw: null, whatsapp: null };

  const status = watchStatus(
    () => link,
    { log, clock, timing },
    {
      changed: (accounts, again) => change({ ...state, accounts }, again),
      answered: (accounts, asked) => tell(reports, { ...asked, process: state.process, accounts }),
    },
  );
  const link = openLink(url, token, log, timing, { up, trouble, pluginsChanged: () => void askVersions() });

  /** `always`: what `canSend` says may have changed although the state did not. */
  function change(next: GatewayState, always = false): void {
    const same = sameForOthers(state, next);
    state = next;
    if (same && !always) return;
    tell(listeners, next);
  }

  function tell<T>(those: ReadonlySet<(news: T) => void>, news: T): void {
    for (const listener of [...those]) {
      try {
        listener(news);
      } catch (error) {
        log.error({ err: error }, "gateway: a listener failed");
      }
    }
  }

  function up(hello: HelloOk): void {
    linkThrottle.over();
    const { bootId, version } = hello.server;
    const process: GatewayProcess | null = bootId === undefined ? null : { id: bootId, version };
    if (lost && process && process.id !== lost.processId) tell(mourners, lost);
    lost = null;
    log.info({ gateway_process: bootId, version }, "gateway: connected");
    if (!process) log.warn("gateway: it does not say which process it is, so no lost answer can be asked for again");
    const scopes = hello.auth?.scopes;
    if (scopes && !scopes.includes("operator.write") && !scopes.includes("operator.admin")) {
      log.error(
        { scopes: scopes.slice(0, 10).map(shownName) },
        "gateway: this token may not send; set OPENCLAW_GATEWAY_TOKEN to gateway.auth.token",
      );
    }
    agentId = hello.snapshot?.sessionDefaults.defaultAgentId ?? "main";
    versions = { openclaw: version, whatsapp: null };
    change({ link: "up", process, accounts: state.accounts });
    status.ask();
    void askVersions();
  }

  /** For the operator's eyes alone: nothing depends on it, so it is not asked again where the gateway has no answer. */
  async function askVersions(): Promise<void> {
    const { openclaw } = versions;
    try {
      const answer = pluginsList.parse(await link.request("plugins.list", {}, { timeoutMs: timing.pluginsTimeoutMs }));
      const whatsapp = answer.plugins.find(({ id }) => id === "whatsapp")?.version ?? null;
      versions = { openclaw, whatsapp };
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, "gateway: plugins.list failed");
    }
  }

  function trouble(found: LinkTrouble, isAbrupt: boolean): void {
    if (state.process) lost = isAbrupt ? { processId: state.process.id, at: clock.now() } : null;
    const gist = `${found.link} ${found.reason.replace(DIGITS, "")}`;
    linkThrottle.log(() => log.warn({ link: found.link }, `gateway: ${found.reason}`), gist);
    status.stop();
    change({ ...found, process: null, accounts: status.forget() });
  }

  async function send(request: SendRequest): Promise<SendOutcome> {
    const outcome = await sendOver(link, request, state.process, timing.sendTimeoutMs);
    if (outcome.kind !== "sent" && outcome.kind !== "failed") {
      // What made it fail will hit the next one too: believe no status from before.
      change({ ...state, accounts: status.forget() });
      if (state.link === "up") status.ask();
    }
    const { accountId, to, commandId } = request;
    const facts = { command_id: commandId, account_id: accountId, to: maskAddress(to), outcome: outcome.kind };
    log.debug(facts, "gateway: send");
    return outcome;
  }

  return {
    get state() {
      return state;
    },
    get process() {
      return state.process;
    },
    get versions() {
      return versions;
    },
    canSend(accountId) {
      return state.link === "up" && status.isFresh() && state.accounts.get(accountId)?.code === "connected";
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onStatus(listener) {
      reports.add(listener);
      return () => reports.delete(listener);
    },
    onDied(listener) {
      mourners.add(listener);
      return () => mourners.delete(listener);
    },
    send,
    async askAgain(request, first) {
      const process = state.process;
      if (!stillRemembers(process, first, clock.bootMs())) {
        // Not the process of now: kept as the one that was asked first, it would make a second send look safe.
        return { kind: "in_doubt", reason: "the gateway that was asked first no longer remembers", process: null };
      }
      return outcomeOfAskingAgain(await send(request), process);
    },
    async history(accountId, chatId) {
      const params = { sessionKey: sessionKeyOf(agentId, accountId, chatId), limit: HISTORY_ROWS };
      try {
        const keys = keysIn(await link.request("chat.history", params, { timeoutMs: timing.historyTimeoutMs }));
        if (keys === null) log.error("gateway: chat.history cannot be read");
        return keys;
      } catch (error) {
        log.warn({ reason: reasonOf(error) }, "gateway: chat.history failed");
        return null;
      }
    },
    async startChannel(accountId) {
      const params = { channel: "whatsapp", accountId };
      try {
        const answer = await link.request("channels.start", params, { timeoutMs: timing.startTimeoutMs });
        if (state.link === "up") status.ask();
        const parsed = startAnswer.safeParse(answer);
        if (parsed.success && parsed.data.started) return { started: true };
        return { started: false, reason: "OpenClaw did not start the account" };
      } catch (error) {
        return { started: false, reason: reasonOf(error) };
      }
    },
    adopt: (next) => link.adopt(next),
    async config() {
      try {
        const answer = await link.request("config.get", {}, { timeoutMs: timing.configTimeoutMs });
        const { path = null, parsed, config } = configAnswer.parse(answer);
        const found = parsed ?? config;
        return found ? { config: found, path } : null;
      } catch (error) {
        log.debug({ reason: reasonOf(error) }, "gateway: config.get failed");
        return null;
      }
    },
    startLogin: (accountId) => startLogin(link, accountId, timing),
    async waitLogin(accountId, qr) {
      const step = await waitLogin(link, accountId, qr, timing);
      if (step.kind === "connected" && state.link === "up") status.ask();
      return step;
    },
    async close() {
      listeners.clear();
      reports.clear();
      mourners.clear();
      status.stop();
      change({ link: "down", reason: "the bridge has closed the link", process: null, accounts: status.forget() });
      await link.close();
    },
  };
}

/** The numbers in a reason, which may differ from attempt to attempt. */
const DIGITS = /\d+/g;

/** Whether a change is none for those who listen: times and counters of an account change with every message. */
function sameForOthers(a: GatewayState, b: GatewayState): boolean {
  if (a.link !== b.link || a.reason !== b.reason || a.process?.id !== b.process?.id) return false;
  if (a.accounts.size !== b.accounts.size) return false;
  return [...b.accounts].every(([id, { code, number }]) => {
    const before = a.accounts.get(id);
    return before?.code === code && before.number === number;
  });
}
