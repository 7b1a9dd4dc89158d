import { VERSION } from "@hotbags/shared";
import type { Logger } from "pino";
import { systemClock } from "./clock.ts";
import { QuietWatch } from "./downtime/quiet-watch.ts";
import { DowntimeWatch } from "./downtime/watch.ts";
import { ChannelStarter, openGateway } from "./gateway/index.ts";
import { Listener } from "./intake/listener.ts";
import type { IntakeParts } from "./intake/plugin-connection.ts";
import { OperatorApi } from "./operator/api.ts";
import { OperatorServer, operatorSocketOf } from "./operator/server.ts";
import { Alerts } from "./ops/alerts.ts";
import { ClockLog } from "./ops/clock-log.ts";
import { DamageAlerts } from "./ops/damage-alerts.ts";
import { DiskWatch } from "./ops/disk-watch.ts";
import { readHealth } from "./ops/health.ts";
import { hotBagsAlert } from "./ops/hotbags-alert.ts";
import { lockAlert } from "./ops/lock-alert.ts";
import { numberAlert } from "./ops/number-alert.ts";
import { logOutages } from "./ops/outage-log.ts";
import { runawayAlert } from "./ops/runaway-alert.ts";
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
  const alerts = new Alerts(settings.alerts, log);
  const downtimes = new DowntimeWatch({ store, gateway, alerts, log });
  const options = relayOptions(settings.maxRetryingMs);
  const disk = new DiskWatch({
    folder: settings.stateDir,
    lowBytes: settings.lowDiskBytes,
    alerts,
    log,
    now: clock.now,
  });
  const quiet = new QuietWatch({
    ...{ store, gateway, alerts, clock, log, limits: settings.quiet },
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
    onRunaway: (command) => void alerts.raise(runawayAlert(command, brake, clock.now())),
    onNumberChange: (change) => void alerts.raise(numberAlert(change, clock.now())),
    onLock: (lock) => void alerts.raise(lockAlert(lock, clock.now())),
  });
  const relay = new Relay(
    {
      ...{ store, hotbags, clock, log, random: Math.random },
      onCommands: (chat) => replies.offer(chat),
      onDoubt: (id) => replies.doubt(id),
      alarm: (alarm) => void alerts.raise(hotBagsAlert(alarm, clock.now())),
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
  const health = () =>
    readHealth({
      store,
      relay,
      replies,
      gateway,
      clock,
      disk,
      quiet,
      plugin: () => listener.plugin,
      outbox: () => listener.outbox,
    });

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
      },
      status: () => ({ version: VERSION, ...health() }),
    }),
    listen: (listener) => store.onChange(listener),
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
    disk.stop();
    quiet.stop();
    starter.stop();
    const finished = Promise.all([relay.stop(), replies.stop(), alerts.close(), downtimes.stop()]);
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
    new DamageAlerts({ store, alerts, clock }).start();
    await operator.start();
    return { parts, health, stop: closeBackwards };
  } catch (error) {
    await closeBackwards();
    throw error;
  }
}
