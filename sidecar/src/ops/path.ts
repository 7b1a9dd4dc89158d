import type { Alerts } from "../alerts/alerts.ts";
import type { Counts } from "../store/index.ts";
import type { Finding } from "./finding.ts";
import { readFindings, readFindingsWithout, unknownKinds } from "./findings.ts";
import type { HealthParts } from "./health-parts.ts";
import { answerOf } from "./path-answer.ts";
import type { Station } from "./path-effects.ts";
import { type Hop, readHops, readTroubles, type Seen } from "./path-hops.ts";
import type { StoreSeen } from "./store-seen.ts";

export type Path = ReturnType<typeof describePath> & Counted;

/**
 * Whether customers are being answered, and how each hop of a message's way is: from what `/health` and the alerts know at
 * this moment, and by no other judgement. Nobody is asked for it. `stored`: what is seen of the store; null: that can't be read, and
 * AlertWatch says why. `since`: when a finding became as it is, wall-clock ms.
 */
export function readPath(
  parts: HealthParts,
  stored: StoreSeen | null,
  since: (finding: Finding) => number,
  open: Alerts["open"],
): Path {
  if (stored === null) return { ...describeHops(UNREADABLE, open.length), ...NOT_COUNTED };
  const { look, away } = stored;
  const { gateway, relay, plugin } = parts;
  const { reachable, problem } = relay.status;
  const hasTaken = look === null ? null : look.lastDeliveredAgoMs !== null;
  const findings = look === null ? readFindingsWithout(parts, away) : readFindings(parts, look);
  const seen: Seen = {
    ...{ findings, since, open, unknown: unknownKinds(parts) },
    ...{ gateway: gateway.state, isPluginConnected: plugin() !== null, hotbags: { reachable, problem, hasTaken } },
  };
  if (look === null) return { ...describePath(seen), ...NOT_COUNTED };
  const { messages, replies } = look.longestWaitMs;
  return { ...describePath(seen), ...countWhatWaits(look, messages, replies) };
}

/** The same of a sidecar that does not run. `alerts`: how many last. */
export function pathWithoutSidecar(counts: Counts, alerts: number): Path {
  const stopped = STATIONS.map((hop): Hop => {
    const sentence = "The sidecar does not run.";
    const state = hop === "sidecar" ? ({ state: "down", code: "stopped" } as const) : NOT_KNOWN;
    return { hop, account: null, since: null, sentence, ...state };
  });
  return { ...describeHops(stopped, alerts), ...countWhatWaits(counts, null, null) };
}

const STATIONS: readonly Station[] = ["whatsapp", "openclaw", "plugin", "sidecar", "hotbags"];

const NOT_KNOWN = { state: "unknown", code: "unknown" } as const;

const UNREADABLE = STATIONS.map((hop): Hop => {
  const sentence = "The sidecar's state can't be read: see the alerts, and its log.";
  return { hop, account: null, since: null, sentence, ...NOT_KNOWN };
});

const NOT_COUNTED: Counted = {
  waiting: { messages: null, oldest_ms: null, replies: null, oldest_reply_ms: null },
  ...{ dead: null, in_doubt: null, refused: null },
};

/** What is seen as it is answered. */
export function describePath(seen: Seen) {
  const troubles = readTroubles(seen);
  return describeHops(readHops(seen, troubles), seen.open.length, troubles);
}

function describeHops(hops: readonly Hop[], alerts: number, troubles: ReturnType<typeof readTroubles> = []) {
  const { since, ...answer } = answerOf(hops, troubles, alerts);
  return {
    ...{ ...answer, since: iso(since) },
    hops: hops.map(({ account, since: at, ...hop }) => ({ ...hop, account_id: account, since: iso(at) })),
    alerts,
  };
}

function countWhatWaits({ counters }: Counts, oldestMs: number | null, oldestReplyMs: number | null): Counted {
  const { pending: messages, commands_pending: replies, dead, commands_in_doubt, commands_failed } = counters;
  return {
    waiting: {
      ...{ messages, oldest_ms: messages === 0 ? null : oldestMs },
      ...{ replies, oldest_reply_ms: replies === 0 ? null : oldestReplyMs },
    },
    ...{ dead, in_doubt: commands_in_doubt, refused: commands_failed },
  };
}

interface Counted {
  waiting: Record<"messages" | "oldest_ms" | "replies" | "oldest_reply_ms", number | null>;
  dead: number | null;
  in_doubt: number | null;
  refused: number | null;
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
