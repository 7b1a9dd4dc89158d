import { type InboundMessage, type RefusalCode, refusalCode } from "@hotbags/shared";
import { Counter, Histogram, type Registry } from "@prometheus-io/client";
import type { Gateway, SendOutcome } from "../gateway/index.ts";
import type { Posted } from "../relay/poster.ts";
import { ruleFor } from "../relay/rules.ts";
import { TROUBLES } from "../relay/symptom.ts";
import type { AnswerTimes, Hop, PendingMessage } from "../store/index.ts";

/** From an answer on the same machine to an outage that a customer remembers, s. */
const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** A transaction: from a disk with a cache of its own to one that is about to fail, s. */
const COMMIT_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

const POST_OUTCOMES = ["answered", "http_3xx", "http_4xx", "http_5xx", "http_other", ...TROUBLES] as const;
const SEND_OUTCOMES = ["sent", "queued_by_gateway", "not_sent", "failed", "in_doubt"] as const;
const PEERS = ["plugin", "gateway", "whatsapp"] as const;

/** Who keeps figures of the same things for longer. */
export interface FigureKeeper {
  /** A message came, and waits for Hot Bags (1), or has been answered (-1). */
  waits(by: 1 | -1, account: string): void;
  took(hop: Hop, ms: number, account: string): void;
  /** `kind`: a rule's name, or what came of a send. */
  failed(kind: string, account: string): void;
}

interface PostedOf extends Pick<Posted, "outcome" | "durationMs"> {
  message: Pick<PendingMessage, "account_id">;
}

interface FlowParts {
  registry: Registry;
  /** Wall-clock ms. */
  now(): number;
  figures: FigureKeeper;
}

/**
 * What passes: counted from the start of the process on, when and where it happens. Every label is one of a few words of
 * ours, and each series is there from the start: one that begins with its first event hides that event from `rate()`.
 */
export class FlowMetrics {
  readonly #now: () => number;
  readonly #figures: FigureKeeper;
  readonly #refused;
  readonly #connections;
  readonly #posts;
  readonly #postDuration;
  readonly #arrival;
  readonly #delivery;
  readonly #sendDuration;
  readonly #reply;
  readonly #endToEnd;
  readonly #commit;

  constructor({ registry, now, figures }: FlowParts) {
    const registers = [registry];
    this.#now = now;
    this.#figures = figures;
    const counter = (name: string, help: string, label: string, values: readonly string[]) => {
      const made = new Counter({ name, help, labelNames: [label], registers });
      for (const value of values) made.inc({ [label]: value }, 0);
      return made;
    };
    const histogram = (name: string, help: string, buckets = LATENCY_BUCKETS) =>
      new Histogram({ name, help, buckets, registers });
    const histogramOf = (name: string, help: string, label: string, values: readonly string[]) => {
      const made = new Histogram({ name, help, buckets: LATENCY_BUCKETS, labelNames: [label], registers });
      for (const value of values) made.zero({ [label]: value });
      return made;
    };

    this.#refused = counter(
      "hotbags_frames_refused_total",
      "Frames of the plugin that were not taken, by the reason that it was told",
      "code",
      refusalCode.options,
    );
    this.#connections = counter(
      "hotbags_connections_total",
      "Connections that came about: of the plugin to the sidecar, of the sidecar to the gateway, of an account to WhatsApp",
      "peer",
      PEERS,
    );
    this.#posts = counter(
      "hotbags_post_attempts_total",
      "POSTs to Hot Bags that have ended, by how",
      "outcome",
      POST_OUTCOMES,
    );
    this.#postDuration = histogramOf(
      "hotbags_post_duration_seconds",
      "How long a POST to Hot Bags took, by whether it was answered as the contract says",
      "outcome",
      ["answered", "failed"],
    );
    this.#arrival = histogram(
      "hotbags_message_arrival_seconds",
      "From when a customer wrote, as WhatsApp says to the second, until the message was in the sidecar's store",
    );
    this.#delivery = histogram(
      "hotbags_message_delivery_seconds",
      "From when a message was in the sidecar's store until Hot Bags had answered it, all waits and retries included",
    );
    this.#sendDuration = histogramOf(
      "hotbags_send_duration_seconds",
      "How long the gateway took to answer a send, by what came of it",
      "outcome",
      SEND_OUTCOMES,
    );
    this.#reply = histogram(
      "hotbags_reply_delivery_seconds",
      "From when Hot Bags had answered a message until a reply to it was sent, all waits and retries included",
    );
    this.#endToEnd = histogram(
      "hotbags_end_to_end_seconds",
      "From when a customer wrote, as WhatsApp says to the second, until a reply to it was sent",
    );
    this.#commit = histogram(
      "hotbags_store_commit_duration_seconds",
      "How long a transaction of the store took, its fsync included",
      COMMIT_BUCKETS,
    );
  }

  refused(code: RefusalCode): void {
    this.#refused.inc({ code });
  }

  connected(peer: (typeof PEERS)[number]): void {
    this.#connections.inc({ peer });
  }

  committed(durationMs: number): void {
    this.#commit.observe(durationMs / 1_000);
  }

  accepted({ timestamp, account_id: account }: InboundMessage): void {
    const ms = msBetween(Date.parse(timestamp), this.#now());
    this.#arrival.observe(ms / 1_000);
    this.#figures.took("capture", ms, account);
    this.#figures.waits(1, account);
  }

  posted({ outcome, durationMs, message: { account_id: account } }: PostedOf): void {
    this.#posts.inc({ outcome: nameOf(outcome) });
    this.#postDuration.observe({ outcome: outcome.kind }, durationMs / 1_000);
    if (outcome.kind === "answered") this.#figures.took("hotbags", durationMs, account);
    else this.#figures.failed(ruleFor(outcome.symptom).name, account);
  }

  delivered({ received_at, account_id: account }: PendingMessage): void {
    this.#delivery.observe(msBetween(received_at, this.#now()) / 1_000);
    this.#figures.waits(-1, account);
  }

  answered(outcome: SendOutcome, durationMs: number, account: string): void {
    this.#sendDuration.observe({ outcome: outcome.kind }, durationMs / 1_000);
    if (outcome.kind === "not_sent") this.#figures.failed("reply-not-sent", account);
    if (outcome.kind === "in_doubt") this.#figures.failed("reply-in-doubt", account);
  }

  /** A reply went out, wall-clock ms. */
  sent(at: number, { writtenAt, answeredAt }: AnswerTimes, account: string): void {
    if (answeredAt !== null) this.#took("reply", this.#reply, msBetween(answeredAt, at), account);
    if (writtenAt !== null) this.#took("whole", this.#endToEnd, msBetween(writtenAt, at), account);
  }

  #took(hop: Hop, histogram: Histogram, ms: number, account: string): void {
    histogram.observe(ms / 1_000);
    this.#figures.took(hop, ms, account);
  }

  /** Counts connections of the gateway and of its accounts from now on. Returns how to stop that. */
  watch(gateway: Pick<Gateway, "onChange">): () => void {
    let wasUp = false;
    let wereConnected: ReadonlySet<string> = new Set();
    return gateway.onChange(({ link, accounts }) => {
      if (link === "up" && !wasUp) this.connected("gateway");
      wasUp = link === "up";
      const isConnected = new Set([...accounts].filter(([, { code }]) => code === "connected").map(([id]) => id));
      const isKnown = [...accounts.values()].some(({ code }) => code !== "unknown");
      // While the gateway is away nobody knows of them: that they are still connected afterwards is no new connection.
      if (!isKnown) return;
      for (const id of isConnected) if (!wereConnected.has(id)) this.connected("whatsapp");
      wereConnected = isConnected;
    });
  }
}

function nameOf(outcome: Posted["outcome"]): (typeof POST_OUTCOMES)[number] {
  if (outcome.kind === "answered") return "answered";
  const { status, trouble } = outcome.symptom;
  if (trouble !== null) return trouble;
  const klass = Math.floor((status ?? 0) / 100);
  return klass >= 3 && klass <= 5 ? `http_${klass as 3 | 4 | 5}xx` : "http_other";
}

/** Of two clocks, or of one that was set: never less than nothing. */
function msBetween(from: number, to: number): number {
  return Math.max(0, to - from);
}
