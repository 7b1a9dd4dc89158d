import { VERSION } from "@hotbags/shared";
import type { Logger } from "pino";
import { Alerts } from "./alerts/alerts.ts";
import { openChannels } from "./alerts/channels.ts";
import { Heartbeat } from "./alerts/heartbeat.ts";
import { listAlerts } from "./alerts/list.ts";
import { tested } from "./alerts/telling.ts";
import { systemClock, systemTimers } from "./clock.ts";
import { diagnoseFrom } from "./doctor/diagnose.ts";
import { loginOf } from "./doctor/login.ts";
import { QuietWatch } from "./downtime/quiet-watch.ts";
import { DowntimeWatch } from "./downtime/watch.ts";
import { ChannelStarter, openGateway } from "./gateway/index.ts";
import { Listener } from "./intake/listener.ts";
import type { IntakeParts } from "./intake/plugin-connection.ts";
import { OperatorApi } from "./operator/api.ts";
import { OperatorServer, operatorSocketOf } from "./operator/server.ts";
import { AlertWatch } from "./ops/alert-watch.ts";
import { ClockLog } from "./ops/clock-log.ts";
import { DiskWatch } from "./ops/disk-watch.ts";
import { alertOf as alertOfDeath } from "./ops/gateway-death.ts";
import { readHealth } from "./ops/health.ts";
import type { HealthParts } from "./ops/health-parts.ts";
import { logOutages } from "./ops/outage-log.ts";
import { HotBags } from "./relay/hotbags.ts";
import { DETACHED_CONCURRENCY } from "./relay/message-lanes.ts";
import { MAX_RETRY_AFTER_MS, Relay, relayOptions } from "./relay/relay.ts";
import { Replies } from "./replies/replies.ts";
import type { Settings } from "./settings.ts";
import { Starting } from "./starting.ts";
import { openStore } from "./store/index.ts";

/** A connection to Hot Bags that takes longer than this to come about, ms, is given up. The answer has its own time. */
const CONNECT_TIMEOUT_MS = 10_000;

/** How often old messages are forgotten, ms. */
const SWEEP_INTERVAL_MS = 3_600_000;

/** What is under way may take this long to finish when the sidecar is told to stop, ms. systemd kills after 90 s. */
const STOP_PATIENCE_MS = 10_000;

export interface Sidecar {
  /** Where it listens, as it can be shown. */
  address: string;
  /** Stops taking in, finishes what is under way, and closes everything. */
  stop(): Promise<void>;
}

/** What works behind the listener. */
interface Work {
  /** What the listener hands in to. */
  parts: IntakeParts;
  health(): ReturnType<typeof readHealth>;
  /** Finishes what is under way, and closes everything. */
  stop(): Promise<void>;
}

/**
 * Puts the parts together and starts them: the listener first, so that `/health` can say what is waited for, then the rest
 * from the store outwards. What passes by itself is waited out. Rejects with StoreUnusableError or ListenError where
 * only a human can help, and with StartCalledOffError when the signal is aborted before it has started.
 */
export async function startSidecar(settings: Settings, log: Logger, signal: AbortSignal): Promise<Sidecar> {
  const starting = new Starting(systemClock, log, signal);
  let work: Work | undefined;
  const listener: Listener = new Listener({
    address: settings.listen,
    token: settings.bridgeToken,
    log,
    health: () => work?.health() ?? { ok: false, problems: [starting.problem ?? "the sidecar is starting"] },
  });
  const address = await starting.whenPossible(() => listener.start());
  try {
    const started = await starting.whenPossible(() => startWork(settings, listener, log));
    work = started;
    listener.open(started.parts);
    log.info({ listen: address }, "sidecar started");
    return {
      address,
      async stop() {
        await listener.stop();
        await started.stop();
        log.info("sidecar stopped");
      },
    };
  } catch (error) {
    await listener.stop();
    throw error;
  }
}

/** Throws StoreUnusableError or StoreUnwritableError; nothing is left open then. */
async function startWork(settings: Settings, listener: Listener, log: Logger): Promise<Work> {
  const clock = systemClock;
  const store = openStore(settings.stateDir, clock, settings.media);
  logOutages(store, clock, log);
  const gateway = openGateway({ ...settings.gateway, log });
  const starter = new ChannelStarter({ gateway, clock, log });
  const alerts = new Alerts({
    ...{ store: store.alerts, channels: openChannels(settings.alerts), limits: settings.alerts },
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
    connections: options.concurrency + DETACHED_CONCURRENCY,
  });
  const { pace, brake, formerNumbers } = settings;
  const replies = new Replies({
    ...{ store, gateway, clock, log, random: Math.random, pace, brake, formerNumbers },
    ...{ onRunaway: changed, onNumberChange: changed, onLock: changed },
  });
  const relay = new Relay(
    {
      ...{ store, hotbags, clock, log, random: Math.random },
      onCommands: (chat) => replies.offer(chat),
      alarm: changed,
    },
    options,
  );
  const parts: IntakeParts = {
    store,
    onAccepted: ({ chat }) => relay.offer(chat),
    onSent: ({ success, reason = "", whatsapp_message_id: whatsappMessageId, ...sent }) => {
      const { account_id: accountId, to: chatId, text_sha256: textSha256, at } = sent;
      const text = { accountId, chatId, textSha256, at: Date.parse(at) };
      if (success) replies.observe({ ...text, whatsappMessageId });
      else replies.dropped({ ...text, reason });
    },
  };
  const healthParts: HealthParts = {
    ...{ store, relay, hotbags, replies, brake, gateway, clock, disk, quiet },
    plugin: () => listener.plugin,
    outbox: () => listener.outbox,
    isOtherWireAround: () => listener.isOtherWireAround,
    alerting: () => alerts.channels,
    ...{ maxWaitMs: settings.maxWaitMs, downMs: settings.alerts.downMs },
  };
  const watch: AlertWatch = new AlertWatch({ alerts, health: healthParts, clock, log });
  const health = () => readHealth(healthParts, (finding) => watch.since(finding), alerts.open);
  const unsubscribers = [gateway.onChange(changed), store.onOutage(changed), store.onDamage(changed)];
  const isWell = () => isHealthy(health, log);
  const heartbeat = new Heartbeat({ url: settings.alerts.heartbeatUrl, log, isHealthy: isWell });

  const operator = new OperatorServer({
    path: operatorSocketOf(settings.stateDir),
    api: new OperatorApi({
      reads: store.operator,
      running: {
        store: store.operator,
        onRetry: (chat) => relay.retry(chat),
        onResolved: (id, chat) => replies.resolved(id, chat),
        pause: (chat, pause) => replies.pause(chat, pause),
        resume: (chat) => replies.resume(chat),
        pausedChats: () => store.pauses.list(),
        diagnose: (testsAlert) => diagnoseFrom(settings, gateway, health(), testsAlert),
        ...loginOf(gateway, log),
        testAlerts: async () => [
          ...(await alerts.test()),
          ...(heartbeat.isSet ? [await tested("ALERT_HEARTBEAT_URL", (signal) => heartbeat.ping(signal))] : []),
        ],
      },
      alerts: (past) => listAlerts({ open: alerts.open, past: store.alerts.past(past) }),
      status: () => ({ version: VERSION, ...health() }),
    }),
    log,
  });

  const clockLog = new ClockLog(store, log);
  const sweep = async () => {
    clockLog.look();
    try {
      const { texts, keys, files } = await store.retention.sweep(settings.keepTextsDays);
      if (texts + keys + files > 0) log.info({ texts, keys, files }, "forgot what was old");
    } catch (error) {
      log.error({ err: error }, "what is old can't be deleted");
    }
  };
  const sweeper = setInterval(sweep, SWEEP_INTERVAL_MS);

  const closeBackwards = async () => {
    await operator.stop();
    clearInterval(sweeper);
    for (const unsubscribe of unsubscribers) unsubscribe();
    watch.stop();
    disk.stop();
    quiet.stop();
    starter.stop();
    const finished = Promise.all([relay.stop(), replies.stop(), alerts.close(), downtimes.stop(), heartbeat.stop()]);
    let impatient: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      impatient = setTimeout(resolve, STOP_PATIENCE_MS);
    });
    await Promise.race([finished, patience]);
    clearTimeout(impatient);
    // What is still under way ends here: a POST is repeated at the next start, a send is in doubt and looked into.
    await Promise.all([gateway.close(), hotbags.close()]);
    await finished;
    store.close();
  };
  try {
    await replies.start();
    relay.start();
    void sweep();
    disk.start();
    quiet.start();
    // Not before: a start that waits for this begins anew every few seconds.
    watch.start();
    heartbeat.start();
    await operator.start();
    return { parts, health, stop: closeBackwards };
  } catch (error) {
    await closeBackwards();
    throw error;
  }
}

/** What can't be read is not healthy. */
function isHealthy(health: () => { ok: boolean }, log: Logger): boolean {
  try {
    return health().ok;
  } catch (error) {
    log.debug({ err: error }, "the heartbeat is left out");
    return false;
  }
}
