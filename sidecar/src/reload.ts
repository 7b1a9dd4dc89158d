import type { Logger } from "pino";
import type { Alerts } from "./alerts/alerts.ts";
import { openChannels } from "./alerts/channels.ts";
import type { Heartbeat } from "./alerts/heartbeat.ts";
import type { QuietWatch } from "./downtime/quiet-watch.ts";
import type { Gateway } from "./gateway/index.ts";
import type { Listener } from "./intake/listener.ts";
import type { DiskWatch } from "./ops/disk-watch.ts";
import type { HotBags } from "./relay/hotbags.ts";
import type { Outbox } from "./relay/outbox.ts";
import { type Relay, relayOptions } from "./relay/relay.ts";
import { type Reporting, reportingOptions } from "./relay/reporting.ts";
import type { Replies } from "./replies/replies.ts";
import type { Reloaded } from "./settings/in-use.ts";
import type { Settings } from "./settings.ts";
import type { Store } from "./store/index.ts";

/** What goes on with other settings without a restart. */
export interface ReloadableParts {
  listener: Listener;
  store: Store;
  gateway: Gateway;
  alerts: Alerts;
  heartbeat: Heartbeat;
  disk: DiskWatch;
  quiet: QuietWatch;
  hotbags: HotBags;
  replies: Replies;
  relay: Relay;
  reporting: Readonly<Record<"reports" | "events", Reporting>>;
  outbox: Outbox;
  log: Logger;
}

/** Hands each part what may change while messages flow. What is under way ends as it began. */
export function adoptSettings(settings: Settings, parts: ReloadableParts): void {
  const { listener, store, gateway, alerts, heartbeat, disk, quiet, hotbags, replies, relay, reporting, outbox, log } =
    parts;
  log.level = settings.logLevel;
  listener.adopt({ token: settings.bridgeToken, tokenPrevious: settings.bridgeTokenPrevious });
  store.adopt(settings.media);
  gateway.adopt(settings.gateway.token);
  alerts.adopt(openChannels(settings.alerts), settings.alerts);
  heartbeat.adopt(settings.alerts.heartbeatUrl);
  disk.adopt(settings.lowDiskBytes);
  quiet.adopt(settings.quiet);
  hotbags.adopt(settings.hotbags);
  replies.adopt(settings);
  relay.adopt(relayOptions(settings.maxRetryingMs));
  const paths = reportingOptions(settings);
  reporting.reports.adopt(paths.reports);
  reporting.events.adopt(paths.events);
  outbox.adopt(settings.outbox);
  // Hot Bags may have refused the former ones.
  relay.probe();
}

/** Says in the log and in the audit what came of a reload. Never rejects. */
export async function reportReload(
  { changed, needs_restart, mistakes }: Reloaded,
  who: string,
  { store, log }: Pick<ReloadableParts, "store" | "log">,
): Promise<void> {
  if (mistakes.length > 0)
    log.error({ who, mistakes, alarm: true }, "the settings were read again and won't do: nothing has changed");
  else log.info({ who, changed, needs_restart }, "the settings were read again");
  const result =
    mistakes.length > 0 ? `refused: ${mistakes.length} mistake(s)` : `changed: ${changed.join(", ") || "nothing"}`;
  const entry = { who, action: "reload the settings", kind: "settings", subject: 0, result } as const;
  await store.operator.note(entry).catch((error: unknown) => {
    log.error({ err: error }, "the reload of the settings can't be noted in the audit");
  });
}
