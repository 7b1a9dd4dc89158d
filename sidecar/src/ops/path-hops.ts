import { shownId } from "@hotbags/shared";
import type { Alerts } from "../alerts/alerts.ts";
import type { Kind } from "../alerts/table.ts";
import type { GatewayState } from "../gateway/index.ts";
import type { Finding } from "./finding.ts";
import { EFFECTS, type HopState, type Station } from "./path-effects.ts";

/** What `/health` and the alerts know at a moment. */
export interface Seen {
  readonly findings: readonly Finding[];
  /** When a finding became as it is, wall-clock ms. */
  readonly since: (finding: Finding) => number;
  /** Alerts that last and were told. */
  readonly open: Alerts["open"];
  /** Kinds of which nothing can be said now. */
  readonly unknown: ReadonlySet<Kind>;
  readonly gateway: Pick<GatewayState, "link" | "accounts">;
  readonly isPluginConnected: boolean;
  readonly hotbags: {
    readonly reachable: boolean;
    readonly problem: string | null;
    /** It took a message once, in this run or an earlier one; null: that can't be read now. */
    readonly hasTaken: boolean | null;
  };
}

/** Something that is wrong now, as the alert of its kind says, or will say. */
export interface Trouble {
  readonly kind: Kind;
  readonly subject: string;
  readonly text: string;
  /** Whose; null: everybody's. */
  readonly account: string | null;
  /** Wall-clock ms. */
  readonly since: number;
  /** The operator was told of it: it is none that passes by itself. */
  readonly isTold: boolean;
}

/** One hop of a message's way. `code`: the kind of the alert that says so, where one does. */
export interface Hop {
  readonly hop: Station;
  readonly account: string | null;
  readonly state: HopState;
  /** Wall-clock ms; null: not known. */
  readonly since: number | null;
  readonly sentence: string;
  readonly code: string;
}

/** What a hop is where no alert says anything else. */
type Base = Pick<Hop, "state" | "sentence" | "code">;

const ok = (sentence: string): Base => ({ state: "ok", code: "ok", sentence });

const SWITCHED_OFF: Base = {
  ...{ state: "down", code: "disabled" },
  sentence: "All WhatsApp accounts are switched off in OpenClaw's configuration.",
};
const NO_ACCOUNT_KNOWN: Base = {
  ...{ state: "unknown", code: "unknown" },
  sentence: "OpenClaw has not said how WhatsApp is.",
};
const NOT_REACHED_YET: Base = {
  ...{ state: "unknown", code: "starting" },
  sentence: "The sidecar was just started, and has not reached it yet.",
};

/** What is wrong now, and what was and of which nobody can say now that it is over. */
export function readTroubles({ findings, since, open, unknown }: Seen): Trouble[] {
  const present = findings.flatMap((finding) =>
    finding.alerts.map(({ kind, subject, text, details }) => {
      const alert = open.find((one) => one.kind === kind && one.subject === subject);
      const common = { kind, subject, text, account: accountIn(details) };
      return { ...common, since: alert?.since_at ?? since(finding), isTold: alert !== undefined };
    }),
  );
  const isPresent = (kind: string, subject: string) =>
    present.some((one) => one.kind === kind && one.subject === subject);
  const lasting = open
    .filter(({ kind, subject }) => unknown.has(kind as Kind) && !isPresent(kind, subject))
    .map(({ kind, subject, text, details, since_at }) => ({
      ...{ kind: kind as Kind, subject, text, since: since_at, isTold: true },
      account: accountIn(JSON.parse(details)),
    }));
  return [...present, ...lasting];
}

function accountIn(details: Readonly<Record<string, unknown>>): string | null {
  return typeof details["account"] === "string" ? details["account"] : null;
}

/** The hops in the order of a message's way; WhatsApp once for each account. */
export function readHops(seen: Seen, troubles: readonly Trouble[]): Hop[] {
  const { link, accounts } = seen.gateway;
  const isStarting = link === "connecting";
  const hop = (which: Station, check: string, base: Base, account: string | null = null): Hop => {
    const finding = seen.findings.find((one) => one.name === check && (one.account ?? null) === account);
    const since = finding === undefined ? null : seen.since(finding);
    return spoiled({ hop: which, account, since, ...base }, troubles);
  };
  const sessions = [...accounts]
    .filter(([, { code }]) => code !== "disabled")
    .map(([id, { code, sentence }]) =>
      // That it is anything else than connected, its alert says.
      hop("whatsapp", SESSION, code === "unknown" ? { ...NO_ACCOUNT_KNOWN, sentence } : ok(sentence), shownId(id)),
    );
  const isOff = accounts.size > 0;
  return [
    ...(sessions.length > 0 ? sessions : [hop("whatsapp", SESSION, isOff ? SWITCHED_OFF : NO_ACCOUNT_KNOWN)]),
    hop("openclaw", "gateway", isStarting ? NOT_REACHED_YET : ok("OpenClaw's gateway is connected.")),
    hop("plugin", "plugin", isStarting && !seen.isPluginConnected ? NOT_REACHED_YET : ok("The plugin is connected.")),
    hop("sidecar", "store", ok("The sidecar works.")),
    hop("hotbags", "hot_bags_last_success_minutes", hotbagsOf(seen.hotbags)),
  ];
}

const SESSION = "session_connected";

function hotbagsOf({ reachable, problem, hasTaken }: Seen["hotbags"]): Base {
  // A moment of it is told to nobody yet.
  if (!reachable) return { state: "down", code: "hot_bags", sentence: problem ?? "Hot Bags takes no message." };
  if (problem !== null) return { state: "slow", code: "message_fails", sentence: problem };
  if (hasTaken === null) return { state: "unknown", code: "unknown", sentence: "No message goes to Hot Bags now." };
  if (!hasTaken) return { state: "unknown", code: "untried", sentence: "No message has gone to Hot Bags yet." };
  return ok("Hot Bags takes messages.");
}

/** The hop as the worst of its troubles has it. Of what is not known only what the operator was told counts. */
function spoiled(hop: Hop, troubles: readonly Trouble[]): Hop {
  const its = troubles.filter(
    (trouble) =>
      effectOn(hop.hop, trouble) !== null &&
      (hop.account === null || trouble.account === null || trouble.account === hop.account),
  );
  const counts = ({ isTold }: Trouble) => hop.state !== "unknown" || isTold;
  const down = oldest(its.filter((trouble) => effectOn(hop.hop, trouble) === "down" && counts(trouble)));
  const slow = hop.state === "ok" || hop.state === "slow" ? oldest(its) : undefined;
  const worst = down ?? slow;
  if (worst === undefined) return hop;
  const { since, text, kind } = worst;
  return { ...hop, state: down === undefined ? "slow" : "down", since, sentence: text, code: kind };
}

function effectOn(hop: Station, { kind, subject }: Trouble): "down" | "slow" | null {
  const effect = EFFECTS[kind];
  if (effect === null || !("hop" in effect) || effect.hop !== hop) return null;
  return kind === "database" && subject === "all" ? "down" : effect.state;
}

export function oldest(troubles: readonly Trouble[]): Trouble | undefined {
  return troubles.toSorted((a, b) => a.since - b.since)[0];
}
