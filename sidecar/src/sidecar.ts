import { VERSION } from "@hotbags/shared";
import type { Logger } from "pino";
import { Alerts } from "./alerts/alerts.ts";
import { openChannels } from "./alerts/channels.ts";
import { Heartbeat } from "./alerts/heartbeat.ts";
import { listAlerts } from "./alerts/list.ts";
import { tested } from "./alerts/test-notice.ts";
import { readLastBackup } from "./checks/last-backup.ts";
import { readReleases } from "./checks/releases.ts";
import { systemClock, systemTimers } from "./clock.ts";
import { Console } from "./console/console.ts";
import { BUILT_PAGE } from "./console/page.ts";
import { diagnoseFrom } from "./doctor/diagnose.ts";
import { loginOf } from "./doctor/login.ts";
import { QuietWatch } from "./downtime/quiet-watch.ts";
import { DowntimeWatch } from "./downtime/watch.ts";
import { FigureRecorder } from "./figures/recorder.ts";
import { readSeries } from "./figures/series.ts";
import { ChannelStarter, openGateway } from "./gateway/index.ts";
import { Listener } from "./intake/listener.ts";
import type { PagesParts } from "./intake/pages.ts";
import { pagesListener } from "./intake/pages-listener.ts";
import type { IntakeParts } from "./intake/plugin-connection.ts";
import { Metrics } from "./metrics/metrics.ts";
import type { State } from "./metrics/state.ts";
import { OperatorApi } from "./operator/api.ts";
import type { Listen } from "./operator/event-stream.ts";
import { OperatorServer, operatorSocketOf } from "./operator/server.ts";
import { AlertWatch } from "./ops/alert-watch.ts";
import { ClockLog } from "./ops/clock-log.ts";
import { DiskWatch } from "./ops/disk-watch.ts";
import type { Finding } from "./ops/finding.ts";
import { alertOf as alertOfDeath } from "./ops/gateway-death.ts";
import { type Health, readHealth, readHealthWithout } from "./ops/health.ts";
import type { HealthParts } from "./ops/health-parts.ts";
import { logOutages } from "./ops/outage-log.ts";
import { readPath } from "./ops/path.ts";
import { lookAtStore } from "./ops/store-seen.ts";
import { OwnAccounts } from "./own-accounts.ts";
import { CertificateWatch } from "./relay/certificate-watch.ts";
import { HotBags } from "./relay/hotbags.ts";
import { DETACHED_CONCURRENCY } from "./relay/message-lanes.ts";
import { Outbox } from "./relay/outbox.ts";
import { MAX_RETRY_AFTER_MS, Relay, relayOptions } from "./relay/relay.ts";
import { REPORT_CONCURRENCY, Reporting, reportingOptions } from "./relay/reporting.ts";
import { adoptSettings, type ReloadableParts, reportReload } from "./reload.ts";
import { Replies } from "./replies/replies.ts";
import type { SettingsInUse } from "./settings/in-use.ts";
import { Starting } from "./starting.ts";
import { type Outage, openStoreAt, type StoreUnusableError } from "./store/index.ts";
import { TakeOvers } from "./take-overs.ts";

/** A connection to Hot Bags that takes longer than this to come about, ms, is given up. The answer has its own time. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Its question is open nearly always. */
const OUTBOX_CONNECTIONS = 1;

/** How often old messages are forgotten, ms. */
const SWEEP_INTERVAL_MS = 3_600_000;

/** What is under way may take this long to finish when the sidecar is told to stop, ms. systemd kills after 90 s. */
const STOP_PATIENCE_MS = 10_000;

export interface Sidecar {
  /** Where it listens, as it can be shown. */
  address: string;
  /** Reads the settings again, and goes on with them where they will do. `who` asks for it. Never rejects. */
  reload(who: string): Promise<unknown>;
  /** Why the database can't be written now; null: it can. */
  readonly outage: Outage | null;
  /** Resolves when it can't go on and is to be stopped, with what only a human can change. */
  readonly unusable: Promise<StoreUnusableError>;
  /** Stops taking in, finishes what is under way, and closes everything. */
  stop(): Promise<void>;
}

/** What works behind the listener. */
interface Work {
  /** What the listener hands in to. */
  intake: IntakeParts;
  health(): Promise<Health>;
  metrics: Metrics;
  reload(who: string): Promise<unknown>;
  outage(): Outage | null;
  unusable: Promise<StoreUnusableError>;
  /** Finishes what is under way, and closes everything. */
  stop(): Promise<void>;
}

/**
 * Puts the parts together and starts them: the listener first, so that `/health` can say what is waited for, then the rest
 * from the store outwards. What passes by itself is waited out. Rejects with StoreUnusableError or ListenError where
 * only a human can help, and with StartCalledOffError when the signal is aborted before it has started.
 */
export async function startSidecar(inUse: SettingsInUse, log: Logger, signal: AbortSignal): Promise<Sidecar> {
  const { settings } = inUse;
  const starting = new Starting(systemClock, log, signal);
  let work: Work | undefined;
  const pages: PagesParts = {
    log,
    health: async () =>
      (await work?.health()) ?? { ok: false, problems: [starting.problem ?? "the sidecar is starting"] },
    metrics: async () => work?.metrics.expose() ?? null,
  };
  const listener: Listener = new Listener({
    address: settings.listen,
    token: settings.bridgeToken,
    tokenPrevious: settings.bridgeTokenPrevious,
    ...pages,
  });
  const besides = settings.metricsListen && pagesListener({ address: settings.metricsListen, ...pages });
  const address = await starting.whenPossible(() => listener.start());
  besides?.start();
  try {
    const started = await starting.whenPossible(() => startWork(inUse, listener, log));
    work = started;
    listener.open(started.intake);
    log.info({ listen: address }, "sidecar started");
    return {
      address,
      reload: started.reload,
      get outage() {
        return started.outage();
      },
      unusable: started.unusable,
      async stop() {
        await Promise.all([listener.stop(), besides?.stop()]);
        await started.stop();
        log.info("sidecar stopped");
      },
    };
  } catch (error) {
    await Promise.all([listener.stop(), besides?.stop()]);
    throw error;
  }
}

/** Throws StoreUnusableError or StoreUnwritableError; nothing is left open then. */
async function startWork(inUse: SettingsInUse, listener: Listener, log: Logger): Promise<Work> {
  const clock = systemClock;
  const { settings } = inUse;
  const store = await openStoreAt(settings, {
    ...{ clock, limits: settings.media },
    onCommit: (durationMs) => flow.committed(durationMs),
  });
  const instance = settings.database === null ? null : settings.instance;
  const figures = new FigureRecorder({ store, clock, timers: systemTimers, log });
  const metrics = new Metrics({ now: clock.now, figures, instance });
  const { flow } = metrics;
  logOutages(store, clock, log);
  const unusable = Promise.withResolvers<StoreUnusableError>();
  store.onOutdated(unusable.resolve);
  const gateway = openGateway({ ...settings.gateway, log });
  const starter = new ChannelStarter({ gateway, clock, log });
  const alerts = new Alerts({
    ...{ store, channels: openChannels(settings.alerts), limits: settings.alerts, instance },
    ...{ clock, timers: systemTimers, provenNow: () => store.provenNow(), log, random: Math.random },
  });
  /** Something has changed that the operator may have to be told of. */
  const changed = () => watch.soon();
  gateway.onDied((death) => void alerts.happened(alertOfDeath(death)));
  const downtimes = new DowntimeWatch({ store, gateway, alerts, log });
  const options = relayOptions(settings.maxRetryingMs);
  const disk = new DiskWatch({
    folder: settings.stateDir,
    lowBytes: settings.lowDiskBytes,
    log,
    onChange: changed,
  });
  const quiet = new QuietWatch({
    ...{ store, gateway, clock, log, limits: settings.quiet, onChange: changed },
    isPluginConnected: () => listener.plugin !== null,
  });
  const hotbags = new HotBags({
    ...settings.hotbags,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    maxRetryAfterMs: MAX_RETRY_AFTER_MS,
    connections: options.concurrency.most + DETACHED_CONCURRENCY + 2 * REPORT_CONCURRENCY + OUTBOX_CONNECTIONS,
    log,
  });
  const certificate = new CertificateWatch(() => hotbags.lookAtCertificate(), systemTimers);
  const { pace, brake, formerNumbers, outbound } = settings;
  const replies = new Replies({
    ...{ store, gateway, clock, log, random: Math.random, pace, brake, formerNumbers, outbound },
    ...{ onRunaway: changed, onNumberChange: changed, onLock: changed },
    onAnswered: (outcome, durationMs, account) => flow.answered(outcome, durationMs, account),
    onSent: (at, times, account) => flow.sent(at, times, account),
  });
  const relay = new Relay(
    {
      ...{ store, hotbags, clock, log, random: Math.random },
      answer: (message, record) => replies.answer(message, record),
      onCommands: (chat) => replies.offer(chat),
      onDoubt: (id) => replies.doubt(id),
      alarm: changed,
      onPosted: (posted) => flow.posted(posted),
      onDelivered: (message) => flow.delivered(message),
    },
    options,
  );
  const told = { store, hotbags, clock, log, random: Math.random };
  const paths = reportingOptions(settings);
  const reporting = {
    reports: new Reporting({ ...told, kind: "reports" }, paths.reports),
    events: new Reporting({ ...told, kind: "events" }, paths.events),
  };
  const outbox = new Outbox(
    {
      ...{ store, hotbags, clock, log, random: Math.random, onChange: changed },
      accounts: () => gateway.state.accounts.keys(),
      onCommands: (chat) => replies.offer(chat),
      onDoubt: (id) => replies.doubt(id),
    },
    settings.outbox,
  );
  const takeOvers = new TakeOvers({
    ...{ store, log, random: Math.random },
    // The first ones first: what happens of the account meanwhile is to be told, counted and judged.
    parts: [alerts, figures, downtimes, reporting.reports, reporting.events, replies, relay],
    beside: [replies],
  });
  const ownAccounts = new OwnAccounts({ store, gateway });
  const intake: IntakeParts = {
    store,
    onAccepted: (accepted, message) => {
      ownAccounts.handedIn(message.account_id, clock.uptimeMs());
      flow.accepted(message);
      relay.accepted(accepted);
    },
    onRefused: (code) => flow.refused(code),
    onWelcomed: () => flow.connected("plugin"),
    onSent: ({ success, reason = "", whatsapp_message_id: whatsappMessageId, ...sent }) => {
      const { account_id: accountId, to: chatId, text_sha256: textSha256, at } = sent;
      const text = { accountId, chatId, textSha256, at: Date.parse(at) };
      if (success) replies.observe({ ...text, whatsappMessageId });
      else replies.dropped({ ...text, reason });
    },
  };
  const healthParts: HealthParts = {
    ...{ store, instance, relay, reporting, outbound: outbox, hotbags, replies, gateway, clock, disk, quiet },
    plugin: () => listener.plugin,
    outbox: () => listener.outbox,
    rotations: () => ({ ...hotbags.rotations, BRIDGE_TOKEN: listener.rotation }),
    isOtherWireAround: () => listener.isOtherWireAround,
    lastBackup: () => readLastBackup(settings.stateDir),
    releases: () => readReleases(settings.stateDir),
    alerting: () => alerts.channels,
    get brake() {
      return inUse.settings.brake;
    },
    get maxWaitMs() {
      return inUse.settings.maxWaitMs;
    },
    get downMs() {
      return inUse.settings.alerts.downMs;
    },
  };
  const watch: AlertWatch = new AlertWatch({ alerts, health: healthParts, clock, log });
  const since = (finding: Finding) => watch.since(finding);
  const health = async (): Promise<Health> => {
    const { look, away } = await lookAtStore(healthParts);
    if (look === null) return readHealthWithout(healthParts, away, since, alerts.open);
    return readHealth(healthParts, look, since, alerts.open);
  };
  const unsubscribers = [
    ...[gateway.onChange(changed), store.onOutage(changed), store.onDamage(changed)],
    store.onLost((account) => metrics.letGo(account)),
  ];
  const isWell = () => isHealthy(health, log);
  const heartbeat = new Heartbeat({ url: settings.alerts.heartbeatUrl, log, isHealthy: isWell });

  const parts: ReloadableParts = {
    ...{ listener, store, gateway, alerts, heartbeat, disk, quiet, hotbags, replies, relay, reporting, outbox, log },
  };
  const reload = async (who: string) => {
    const reloaded = inUse.reload((changed) => adoptSettings(changed, parts));
    await reportReload(reloaded, who, parts);
    return reloaded;
  };

  const stateOf = async (): Promise<State> => {
    const look = await store.look();
    const { breakerOpen, breakerOpenings } = relay.status;
    const parts = look.accounts ?? [{ account: "", ...look }];
    const health = readHealth(healthParts, look, since, alerts.open);
    return { breakerOpenings, parts, health, accounts: gateway.state.accounts, breakerOpen };
  };
  flow.watch(gateway);

  const path = async () => readPath(healthParts, await lookAtStore(healthParts).catch(() => null), since, alerts.open);
  const door =
    settings.console &&
    new Console({ ...settings.console, folder: BUILT_PAGE, access: store.console, timers: systemTimers, log });
  const api = new OperatorApi({
    reads: store.operator,
    running: {
      store: store.operator,
      onRetry: (chat) => relay.retry(chat),
      resolving: (id, resolve) => replies.resolving(id, resolve),
      onResolved: (id, chat) => replies.resolved(id, chat),
      pause: (chat, pause) => replies.pause(chat, pause),
      resume: (chat) => replies.resume(chat),
      whyWaits: async ({ accountId, chatId }) => {
        const chat = await store.operator.chat(accountId, chatId);
        return chat === undefined ? null : replies.whyWaits(chat);
      },
      whyMessageWaits: async (seq, { accountId, chatId }, isDetached) => {
        const chat = await store.operator.chat(accountId, chatId);
        return chat === undefined ? null : relay.whyWaits({ seq, chat, isDetached });
      },
      config: () => inUse.show(),
      reload,
      diagnose: async (testsAlert) => {
        const read = { settings: inUse.settings, mistakes: inUse.show().mistakes };
        return diagnoseFrom(read, gateway, await health(), testsAlert);
      },
      ...loginOf(gateway, log),
      console: door,
      testAlerts: async () => [
        ...(await alerts.test()),
        ...(heartbeat.isSet ? [await tested("ALERT_HEARTBEAT_URL", (signal) => heartbeat.ping(signal))] : []),
      ],
    },
    alerts: async (past) => listAlerts({ open: alerts.open, past: await store.alerts.past(past) }),
    status: async () => ({ version: VERSION, ...(await health()) }),
    path,
    figures: async (range) => readSeries(store.figures, range, clock.now(), await figures.running()),
    pausedChats: () => store.pauses.list(),
  });
  const listen: Listen = (listener) => store.onChange(listener);
  const operator = new OperatorServer({ path: operatorSocketOf(settings.stateDir), api, listen, log });

  const clockLog = new ClockLog(store, log);
  const sweep = async () => {
    clockLog.look();
    try {
      const { texts, keys, files, deadLetters } = await store.retention.sweep(inUse.settings.keep);
      if (texts + keys + files > 0) log.info({ texts, keys, files }, "forgot what was old");
      if (deadLetters > 0)
        log.warn(
          { dead_letters: deadLetters },
          "discarded dead letters that nobody has done anything about for so long",
        );
    } catch (error) {
      log.error({ err: error }, "what is old can't be deleted");
    }
  };
  const sweeper = setInterval(sweep, SWEEP_INTERVAL_MS);

  const closeBackwards = async () => {
    await Promise.all([operator.stop(), door?.stop()]);
    clearInterval(sweeper);
    for (const unsubscribe of unsubscribers) unsubscribe();
    watch.stop();
    disk.stop();
    quiet.stop();
    certificate.stop();
    metrics.stop();
    starter.stop();
    ownAccounts.stop();
    const finished = Promise.all([
      relay.stop(),
      replies.stop(),
      reporting.reports.stop(),
      reporting.events.stop(),
      outbox.stop(),
      takeOvers.stop(),
      alerts.close(),
      downtimes.stop(),
      heartbeat.stop(),
    ]);
    let impatient: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      impatient = setTimeout(resolve, STOP_PATIENCE_MS);
    });
    await Promise.race([finished, patience]);
    clearTimeout(impatient);
    // What is still under way ends here: a POST is repeated at the next start, a send is in doubt and looked into.
    await Promise.all([gateway.close(), hotbags.close()]);
    await finished;
    await figures.stop();
    await store.close();
  };
  try {
    // First: what passes from here on is counted.
    const counted = { accounts: await store.countsByAccount(), breakerOpenings: 0 };
    metrics.observe(counted, stateOf, (account) => store.countsWhenOwned(account));
    figures.start();
    takeOvers.start();
    ownAccounts.start();
    await alerts.start();
    await downtimes.start();
    // What becomes of commands from here on is to be told.
    await reporting.reports.start();
    await reporting.events.start();
    await replies.start();
    await relay.takeUp();
    outbox.start();
    void sweep();
    disk.start();
    quiet.start();
    certificate.start();
    // Not before: a start that waits for this begins anew every few seconds.
    watch.start();
    heartbeat.start();
    await operator.start();
    door?.start(api, listen, () => api.answer("path", {}, 0, "console"));
    return {
      intake,
      health,
      metrics,
      reload,
      outage: () => store.outage,
      unusable: unusable.promise,
      stop: closeBackwards,
    };
  } catch (error) {
    await closeBackwards();
    throw error;
  }
}

/** What can't be read is not healthy. */
async function isHealthy(health: () => Promise<{ ok: boolean }>, log: Logger): Promise<boolean> {
  try {
    return (await health()).ok;
  } catch (error) {
    log.debug({ err: error }, "the heartbeat is left out");
    return false;
  }
}
