import { VERSION } from "@hotbags/shared";
import { Counter, Gauge, type Registry } from "@prometheus-io/client";
import { ACCOUNT_STATES, type GatewayState } from "../gateway/index.ts";
import type { WholeHealth } from "../ops/health.ts";
import type { AccountLook, Counts } from "../store/index.ts";

/** Counters of an account; "": of no account, or where the store does not tell them apart, of all. */
export interface CountedOf {
  readonly account: string;
  readonly counters: Counts["counters"];
}

/** What has been counted so far, ever. */
export interface Counted {
  accounts: readonly CountedOf[];
  breakerOpenings: number;
}

/** What is the case now: what `/health` says, and what it puts into words. */
export interface State {
  breakerOpenings: number;
  health: WholeHealth;
  /** Of each account that is ours; of all in one where the store does not tell them apart. */
  parts: readonly Part[];
  accounts: GatewayState["accounts"];
  breakerOpen: boolean;
}

/** A number, or null where it is not known: then the series is missing, which is not the same as 0. */
type Reading = number | null;
type Readings = Readonly<Record<string, Reading>>;

interface Plain<Source> {
  name: string;
  help: string;
  read(source: Source): Reading;
}

interface Labelled<Source> {
  name: string;
  help: string;
  label: string;
  read(source: Source): Readings;
}

type Metric<Source> = Plain<Source> | Labelled<Source>;

/** An account. */
type Part = Pick<AccountLook, "account" | "counters" | "longestWaitMs">;

/** One of each account, or one of the process. */
type Gauged = { of: "account"; metric: Metric<Part> } | { of: "process"; metric: Metric<State> };

const ofAccount = (metric: Metric<Part>): Gauged => ({ of: "account", metric });
const ofProcess = (metric: Metric<State>): Gauged => ({ of: "process", metric });

const GAUGES: readonly Gauged[] = [
  ofProcess({
    name: "hotbags_healthy",
    help: "1 while /health says that messages flow, else 0",
    read: ({ health }) => Number(health.ok),
  }),
  ofProcess({
    name: "hotbags_problems",
    help: "How many problems /health names",
    read: ({ health }) => health.problems.length,
  }),
  ofAccount({
    name: "hotbags_messages",
    help: "Messages that are not done with: waiting for Hot Bags in their chat's order, or out of it (detached), or dead letters",
    label: "state",
    read: ({ counters: { pending, detached, dead } }) => ({ waiting: pending - detached, detached, dead }),
  }),
  ofAccount({
    name: "hotbags_commands",
    help: "Commands of Hot Bags that are not done with, by state",
    label: "state",
    read: ({ counters }) => ({
      pending: counters.commands_pending,
      sending: counters.commands_sending,
      queued_by_gateway: counters.commands_queued_by_gateway,
      in_doubt: counters.commands_in_doubt,
    }),
  }),
  ofAccount({
    name: "hotbags_oldest_message_wait_seconds",
    help: "How long the oldest message that waits for Hot Bags has waited; 0: none waits",
    read: ({ longestWaitMs }) => longestWaitMs.messages / 1_000,
  }),
  ofAccount({
    name: "hotbags_oldest_reply_wait_seconds",
    help: "How long the oldest reply that waits for WhatsApp has waited; 0: none waits",
    read: ({ longestWaitMs }) => longestWaitMs.replies / 1_000,
  }),
  ofAccount({
    name: "hotbags_reports_waiting",
    help: "Delivery reports that wait for Hot Bags",
    read: ({ counters }) => counters.reports_waiting,
  }),
  ofAccount({
    name: "hotbags_events_waiting",
    help: "Events of the bridge that wait for Hot Bags",
    read: ({ counters }) => counters.events_waiting,
  }),
  ofAccount({
    name: "hotbags_oldest_report_wait_seconds",
    help: "How long the oldest delivery report has waited for Hot Bags; 0: none waits",
    read: ({ longestWaitMs }) => longestWaitMs.reports / 1_000,
  }),
  ofProcess({
    name: "hotbags_outbound_waiting",
    help: "Commands of Hot Bags' outbox that wait to be sent; 1000 are counted at most",
    read: ({ health }) => health.outbound.waiting,
  }),
  ofProcess({
    name: "hotbags_outbound_reachable",
    help: "0 while Hot Bags' outbox is asked in vain, else 1; missing: it is not asked",
    read: ({ health: { outbound } }) => (outbound.mode === "off" ? null : Number(outbound.last_failure === null)),
  }),
  ofProcess({
    name: "hotbags_chats",
    help: "Chats whose replies wait: held for they got too many, or paused",
    label: "state",
    read: ({ health: { commands } }) => ({ held: commands.held_chats, paused: commands.paused_chats }),
  }),
  ofAccount({
    name: "hotbags_ledger_imbalance",
    help: "Messages that were accepted and are in no state, or counted twice: anything but 0 is a defect",
    read: ({ counters: c }) => c.accepted - c.delivered - c.pending - c.dead - c.discarded,
  }),
  ofProcess({
    name: "hotbags_plugin_connected",
    help: "1 while the plugin is connected, else 0",
    read: ({ health }) => Number(health.plugin.connected),
  }),
  ofProcess({
    name: "hotbags_outbox_messages",
    help: "Messages in the plugin's outbox, as it last said",
    read: ({ health }) => health.plugin.outbox?.messages ?? null,
  }),
  ofProcess({
    name: "hotbags_outbox_bytes",
    help: "Bytes in the plugin's outbox, as it last said",
    read: ({ health }) => health.plugin.outbox?.bytes ?? null,
  }),
  ofProcess({
    name: "hotbags_outbox_parked_messages",
    help: "Dead letters of the plugin, as it last said",
    read: ({ health }) => health.plugin.outbox?.parked ?? null,
  }),
  ofProcess({
    name: "hotbags_outbox_oldest_timestamp_seconds",
    help: "When the oldest message in the plugin's outbox came, as it last said; missing: there is none",
    read: ({ health }) => secondsOf(health.plugin.outbox?.oldest_at),
  }),
  ofProcess({
    name: "hotbags_gateway_connected",
    help: "1 while the link to the OpenClaw gateway is up, else 0",
    read: ({ health }) => Number(health.gateway.link === "up"),
  }),
  ofProcess({
    name: "hotbags_whatsapp_accounts",
    help: "WhatsApp accounts of the gateway, by state",
    label: "state",
    read: ({ accounts }) => {
      const counts = Object.fromEntries(Object.keys(ACCOUNT_STATES).map((code) => [code, 0]));
      for (const { code } of accounts.values()) counts[code] = (counts[code] ?? 0) + 1;
      return counts;
    },
  }),
  ofProcess({
    name: "hotbags_backend_reachable",
    help: "0 while all messages wait since a probe has found that Hot Bags takes none, else 1",
    read: ({ health }) => Number(health.hotbags.reachable),
  }),
  ofProcess({
    name: "hotbags_breaker_open",
    help: "1 while all messages are held for what is wrong with Hot Bags, else 0",
    read: ({ breakerOpen }) => Number(breakerOpen),
  }),
  ofProcess({
    name: "hotbags_backend_last_success_timestamp_seconds",
    help: "When Hot Bags last took a message; missing: not since the start",
    read: ({ health }) => secondsOf(health.hotbags.last_success_at),
  }),
  ofProcess({
    name: "hotbags_last_message_timestamp_seconds",
    help: "When the last message came; missing: none is remembered",
    read: ({ health }) => secondsOf(health.messages.last_accepted_at),
  }),
  ofProcess({
    name: "hotbags_disk_free_bytes",
    help: "What the disk of the store has left",
    read: ({ health }) => health.disk.free_bytes,
  }),
  ofProcess({
    name: "hotbags_disk_low_bytes",
    help: "Below so much the operator is told (BRIDGE_LOW_DISK_BYTES); 0: never",
    read: ({ health }) => health.disk.low_disk_bytes,
  }),
  ofProcess({
    name: "hotbags_media_files",
    help: "Files of messages that are kept",
    read: ({ health }) => health.files.stored,
  }),
  ofProcess({
    name: "hotbags_media_bytes",
    help: "Bytes of the files that are kept",
    read: ({ health }) => health.files.bytes,
  }),
  ofProcess({
    name: "hotbags_media_limit_bytes",
    help: "So many bytes of files are kept at the most (BRIDGE_MEDIA_STORE_BYTES)",
    read: ({ health }) => health.files.limit_bytes,
  }),
  ofProcess({
    name: "hotbags_build_info",
    help: "1, with the version of the sidecar",
    label: "version",
    read: () => ({ [VERSION]: 1 }),
  }),
];

/** Of what was counted ever; shown is what was added since the start of the process. None of these ever goes down. */
const COUNTERS: readonly Metric<Counts["counters"]>[] = [
  {
    name: "hotbags_messages_accepted_total",
    help: "Messages that were taken from the plugin, each once",
    read: (counts) => counts.accepted,
  },
  {
    name: "hotbags_messages_delivered_total",
    help: "Messages that Hot Bags has answered with a 2xx that keeps the contract",
    read: (counts) => counts.delivered,
  },
  {
    name: "hotbags_messages_discarded_total",
    help: "Dead letters that the operator was done with",
    read: (counts) => counts.discarded,
  },
  {
    name: "hotbags_commands_total",
    help: "Commands that have ended, by how: a refused one has failed or was skipped, done is one about its chat",
    label: "end",
    read: (counts) => ({
      sent: counts.commands_sent,
      failed: counts.commands_failed,
      skipped: counts.commands_skipped,
      done: counts.commands_done,
    }),
  },
  {
    name: "hotbags_gateway_queue_total",
    help: "Replies that OpenClaw had in its own queue, by what it did with them",
    label: "end",
    read: (counts) => ({ sent: counts.replies_sent_from_queue, dropped: counts.replies_dropped }),
  },
  {
    name: "hotbags_reports_total",
    help: "Delivery reports that have ended, by how: Hot Bags has them, or they were given up",
    label: "end",
    read: (counts) => ({ delivered: counts.reports_delivered, dropped: counts.reports_dropped }),
  },
  {
    name: "hotbags_events_total",
    help: "Events of the bridge that have ended, by how: Hot Bags has them, or they were given up",
    label: "end",
    read: (counts) => ({ delivered: counts.events_delivered, dropped: counts.events_dropped }),
  },
  {
    name: "hotbags_outbound_total",
    help: "Commands that were taken from Hot Bags' outbox, and how many of these were refused",
    label: "what",
    read: (counts) => ({ taken: counts.outbound_taken, refused: counts.outbound_refused }),
  },
];

const BREAKER_OPENINGS = { name: "hotbags_breaker_openings_total", help: "How often all messages were held" };

/** Those of which each account has its own, where they are told apart. */
export const NAMES_BY_ACCOUNT: readonly string[] = [
  ...GAUGES.flatMap(({ of, metric }) => (of === "account" ? metric.name : [])),
  ...COUNTERS.map(({ name }) => name),
];

/** Where the series go. */
export interface Shown {
  registry: Registry;
  /** Whether those of accounts have their names as a label. */
  isApart: boolean;
}

/** What is the case when it is asked for: one reading of the state a scrape. */
export class StateMetrics {
  readonly #read: () => Promise<State>;
  readonly #writers: ((state: State) => void)[];
  /** What was counted of each account before it was ours, or the process began. */
  readonly #before: Map<string, Counts["counters"]>;

  readonly #whenOwned: (account: string) => CountedOf | null;

  /**
   * `read` rejects when the state can't be read. Counters count from `start` on; those of an account that was taken over since
   * from then, which `whenOwned` knows.
   */
  constructor(
    shown: Shown,
    start: Counted,
    read: () => Promise<State>,
    whenOwned: (account: string) => CountedOf | null,
  ) {
    this.#read = read;
    this.#whenOwned = whenOwned;
    this.#before = new Map(start.accounts.map(({ account, counters }) => [account, counters]));
    const gauges = GAUGES.map((gauged) =>
      gauged.of === "account" ? gaugeOfAccounts(gauged.metric, shown) : gaugeOf(gauged.metric, shown),
    );
    const counters = COUNTERS.map((metric) => this.#counter(metric, shown));
    const openings = new Counter({ ...BREAKER_OPENINGS, registers: [shown.registry] });
    this.#writers = [
      ...gauges,
      ...counters,
      ({ breakerOpenings }) => {
        openings.reset();
        openings.inc(Math.max(0, breakerOpenings - start.breakerOpenings));
      },
    ];
  }

  /** The account is another one's: if it comes back, it begins anew. */
  end(account: string): void {
    this.#before.delete(account);
  }

  /** Brings all up to date. Rejects when the state can't be read. */
  async refresh(): Promise<void> {
    const state = await this.#read();
    for (const write of this.#writers) write(state);
  }

  #beforeOf(account: string, now: Counts["counters"]): Counts["counters"] {
    const before = this.#before.get(account) ?? this.#whenOwned(account)?.counters ?? now;
    this.#before.set(account, before);
    return before;
  }

  #counter(metric: Metric<Counts["counters"]>, { registry, isApart }: Shown) {
    const counter = new Counter({ ...described(metric, isApart), registers: [registry] });
    return ({ parts }: State) => {
      counter.reset();
      for (const { account, counters } of parts) {
        const before = readingsOf(metric, this.#beforeOf(account, counters));
        for (const [n, { labels, value }] of readingsOf(metric, counters).entries()) {
          const added = Math.max(0, (value ?? 0) - (before[n]?.value ?? 0));
          counter.inc(isApart ? { ...labels, account } : labels, added);
        }
      }
    };
  }
}

function gaugeOf(metric: Metric<State>, { registry }: Shown) {
  const gauge = new Gauge({ ...described(metric, false), registers: [registry] });
  return (state: State) => {
    gauge.reset();
    for (const { labels, value } of readingsOf(metric, state)) {
      if (value === null) gauge.remove(labels);
      else gauge.set(labels, value);
    }
  };
}

function gaugeOfAccounts(metric: Metric<Part>, { registry, isApart }: Shown) {
  const gauge = new Gauge({ ...described(metric, isApart), registers: [registry] });
  return ({ parts }: State) => {
    gauge.reset();
    for (const part of parts)
      for (const { labels, value } of readingsOf(metric, part))
        if (value !== null) gauge.set(isApart ? { ...labels, account: part.account } : labels, value);
  };
}

function described<Source>(metric: Metric<Source>, isApart: boolean) {
  const { name, help } = metric;
  return { name, help, labelNames: [...("label" in metric ? [metric.label] : []), ...(isApart ? ["account"] : [])] };
}

function readingsOf<Source>(metric: Metric<Source>, source: Source) {
  if (!("label" in metric)) return [{ labels: {}, value: metric.read(source) }];
  const { label } = metric;
  return Object.entries(metric.read(source)).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

function secondsOf(time: string | null | undefined): Reading {
  return time ? Date.parse(time) / 1_000 : null;
}
