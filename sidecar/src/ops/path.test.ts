import { describe, expect, it } from "vitest";
import { ALERTS, type Kind } from "../alerts/table.ts";
import { type AccountCode, accountState } from "../gateway/account.ts";
import type { AlertRecord } from "../store/index.ts";
import { bad, condition, type Finding, good } from "./finding.ts";
import { describePath } from "./path.ts";
import { EFFECTS } from "./path-effects.ts";
import type { Seen } from "./path-hops.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const MINUTE_MS = 60_000;
const at = (minutesAgo: number) => new Date(NOW - minutesAgo * MINUTE_MS).toISOString();

interface Situation {
  link?: Seen["gateway"]["link"];
  accounts?: Record<string, AccountCode>;
  plugin?: boolean;
  hotbags?: Partial<Seen["hotbags"]>;
  /** What is so now, since a minute ago: of this account, or as `database:all`. */
  now?: readonly string[];
  /** What the operator was told of, since an hour ago. */
  told?: readonly string[];
  unknown?: readonly Kind[];
}

/** `kind`, or `kind:subject`. What is about an account has it as its subject. */
function parse(name: string): { kind: Kind; subject: string; details: Record<string, string> } {
  const [kind, subject = ""] = name.split(":") as [Kind, string?];
  return { kind, subject, details: kind === "database" || subject === "" ? {} : { account: subject } };
}

function alertOf(name: string): AlertRecord {
  const { kind, subject, details } = parse(name);
  const since = NOW - 60 * MINUTE_MS;
  return {
    ...{ id: name, kind, subject, text: `${kind} is so. Mend it.`, details: JSON.stringify(details) },
    ...{ since_at: since, since, away_since: null, told_at: since, told_amount: 0 },
    ...{ returns: 0, is_reopened: 0, ended_at: null, ended: null },
  };
}

/** All checks are well for ten minutes but for those that are not, for one. */
function pathOf({ link = "up", accounts = { default: "connected" }, plugin = true, ...situation }: Situation) {
  const { hotbags = {}, now = [], told = [], unknown = [] } = situation;
  const checks: Finding[] = [
    ...["store", "gateway", "plugin", "hot_bags_last_success_minutes"].map((name) => good(name, null)),
    ...Object.keys(accounts).map((id) => good("session_connected", true, id)),
  ];
  const wrong = now.map((name) => {
    const { kind, ...more } = parse(name);
    return bad("check", null, "it is wrong", [condition(kind, `${kind} is so. Mend it.`, more)]);
  });
  return describePath({
    findings: [...checks, ...wrong],
    since: ({ ok }) => NOW - (ok ? 10 : 1) * MINUTE_MS,
    open: told.map(alertOf),
    unknown: new Set(unknown),
    gateway: { link, accounts: new Map(Object.entries(accounts).map(([id, code]) => [id, accountState(code)])) },
    isPluginConnected: plugin,
    hotbags: { reachable: true, problem: null, hasTaken: true, ...hotbags },
  });
}

/** `whatsapp:down openclaw:ok …`, and whose, where it is not the only account. */
function drawn({ hops }: ReturnType<typeof pathOf>): string {
  const sessions = hops.filter(({ hop }) => hop === "whatsapp").map(({ state }) => state);
  const others = hops.filter(({ hop, state }) => hop !== "whatsapp" && state !== "ok");
  return [sessions.join("+"), ...others.map(({ hop, state }) => `${hop} ${state}`)].join(", ");
}

const AWAY = ["logged_out", "replaced", "whatsapp_down", "replies_refused", "number", "lock"] as const;
const NO_LINK = { link: "down", accounts: { default: "unknown" }, unknown: AWAY } as const;
const TWO = { default: "connected", outlet: "connected" } as const;
const OUTLET_OUT = { default: "connected", outlet: "logged_out" } as const;
const JUST_STARTED = { link: "connecting", accounts: {}, plugin: false, unknown: AWAY } as const;

/** What is the case; the situation; whether customers are answered, by what code, since when, and the hops that are not ok. */
const TABLE: [string, Situation, string, string, string | null, string][] = [
  ["all is well", {}, "yes", "yes", at(10), "ok"],
  ["all is well with two accounts", { accounts: TWO }, "yes", "yes", at(10), "ok+ok"],
  ["one account is switched off", { accounts: { ...TWO, outlet: "disabled" } }, "yes", "yes", at(10), "ok"],
  ["dead letters", { now: ["dead_letter"], told: ["dead_letter"] }, "yes", "yes_look", at(10), "ok"],
  ["the disk fills up", { now: ["disk"], told: ["disk"] }, "yes", "yes_look", at(10), "ok"],

  [
    "the phone has logged it out",
    { accounts: { default: "logged_out" }, now: ["logged_out:default"] },
    "no",
    "logged_out",
    at(1),
    "down",
  ],
  [
    "the same, and the operator was told",
    { accounts: { default: "logged_out" }, now: ["logged_out:default"], told: ["logged_out:default"] },
    ...(["no", "logged_out", at(60), "down"] as const),
  ],
  [
    "a short break",
    { accounts: { default: "reconnecting" }, now: ["whatsapp_down:default"] },
    "no",
    "whatsapp_down",
    at(1),
    "down",
  ],
  ["all accounts are switched off", { accounts: { default: "disabled" } }, "no", "disabled", null, "down"],
  ["the gateway is away", { ...NO_LINK, now: ["gateway"] }, "no", "gateway", at(1), "unknown, openclaw down"],
  [
    "the gateway and the plugin in it",
    { ...NO_LINK, plugin: false, now: ["gateway", "plugin"] },
    "no",
    "gateway",
    at(1),
    "unknown, openclaw down, plugin down",
  ],
  ["the gateway lets no reply out", { now: ["replies_refused"] }, "no", "replies_refused", at(1), "ok, openclaw down"],
  [
    "the plugin is away",
    { plugin: false, now: ["plugin"], told: ["plugin"] },
    "no",
    "plugin",
    at(60),
    "ok, plugin down",
  ],
  ["the disk is full", { now: ["store"] }, "no", "store", at(1), "ok, sidecar down"],
  [
    "the database is damaged for all",
    { now: ["database:all"], told: ["database:all"] },
    "no",
    "database",
    at(60),
    "ok, sidecar down",
  ],
  ["Hot Bags is down", { now: ["hot_bags"], told: ["hot_bags"] }, "no", "hot_bags", at(60), "ok, hotbags down"],
  [
    "Hot Bags is down, and nobody was told yet",
    { hotbags: { reachable: false, problem: "Hot Bags answered 503" } },
    ...(["no", "hot_bags", at(10), "ok, hotbags down"] as const),
  ],
  [
    "Hot Bags was down before a restart, and was not asked since",
    { told: ["hot_bags"], unknown: ["hot_bags"], hotbags: { hasTaken: true } },
    ...(["no", "hot_bags", at(60), "ok, hotbags down"] as const),
  ],
  [
    "it was logged out, and the gateway is away now",
    { ...NO_LINK, now: ["gateway"], told: ["logged_out:default"] },
    ...(["no", "gateway", at(1), "down, openclaw down"] as const),
  ],

  [
    "one of two accounts is logged out",
    { accounts: OUTLET_OUT, now: ["logged_out:outlet"] },
    "partly",
    "logged_out",
    at(1),
    "ok+down",
  ],
  [
    "one of two accounts is not known",
    { accounts: { ...TWO, outlet: "unknown" } },
    "partly",
    "unknown",
    at(10),
    "ok+unknown",
  ],
  ["WhatsApp has locked the number", { now: ["lock:default"] }, "partly", "lock", at(1), "slow"],
  ["the number is another one", { now: ["number:default"] }, "partly", "number", at(1), "slow"],
  ["a reply waits for long", { now: ["reply_waits"] }, "partly", "reply_waits", at(1), "slow"],
  ["a message waits for long", { now: ["message_waits"] }, "partly", "message_waits", at(1), "ok, hotbags slow"],
  [
    "one message fails alone",
    { hotbags: { problem: "it may be this one" } },
    "partly",
    "message_fails",
    at(10),
    "ok, hotbags slow",
  ],
  ["a page is damaged", { now: ["database:rows"] }, "partly", "database", at(1), "ok, sidecar slow"],
  ["a chat gets too many replies", { now: ["runaway"] }, "partly", "runaway", at(1), "ok"],

  [
    "it was just started",
    { ...JUST_STARTED, now: ["gateway", "plugin"] },
    "unknown",
    "starting",
    at(10),
    "unknown, openclaw unknown, plugin unknown",
  ],
  [
    "it was just started, and the gateway was away before",
    { ...JUST_STARTED, now: ["gateway", "plugin"], told: ["gateway"] },
    ...(["no", "gateway", at(60), "unknown, openclaw down, plugin unknown"] as const),
  ],
  [
    "no account is named yet",
    { accounts: {}, now: ["whatsapp_down"], unknown: AWAY },
    "unknown",
    "unknown",
    null,
    "unknown",
  ],
  [
    "there is no account",
    { accounts: {}, now: ["whatsapp_down"], told: ["whatsapp_down"] },
    "no",
    "whatsapp_down",
    at(60),
    "down",
  ],
  ["no message was ever sent", { hotbags: { hasTaken: false } }, "unknown", "untried", at(10), "ok, hotbags unknown"],
  ["nobody is heard", { now: ["quiet"], told: ["quiet"] }, "unknown", "quiet", at(60), "ok"],
];

describe("whether customers are being answered", () => {
  it.each(TABLE)("%s", (_, situation, answered, code, since, hops) => {
    const path = pathOf(situation);
    expect([path.answered, path.code, path.since, drawn(path)]).toEqual([answered, code, since, hops]);
    const says = {
      yes: /^Customers are being/,
      no: /^Customers are not/,
      partly: /^Not all/,
      unknown: /^It is not known/,
    };
    expect(path.sentence).toMatch(says[path.answered]);
  });

  it.each([
    [
      { now: ["dead_letter"], told: ["dead_letter"] },
      "Customers are being answered, but 1 thing needs you (hotbags alerts list).",
    ],
    [
      { accounts: OUTLET_OUT, now: ["logged_out:outlet"], told: ["logged_out:outlet"] },
      "Not all customers are being answered: WhatsApp is logged out (account outlet).",
    ],
    [
      { plugin: false, now: ["plugin"] },
      "Customers are not being answered: the plugin is not connected. It may pass by itself.",
    ],
    [{ now: ["quiet"], told: ["quiet"] }, "It is not known whether customers are being answered: no message comes in."],
  ] satisfies [Situation, string][])("says it in one sentence: %o", (situation, sentence) => {
    expect(pathOf(situation).sentence).toBe(sentence);
  });

  it("has of each hop what its alert says, and of others what is the case", () => {
    const { hops, alerts } = pathOf({ accounts: OUTLET_OUT, now: ["logged_out:outlet"], told: ["logged_out:outlet"] });
    expect(hops.slice(0, 3)).toEqual([
      {
        hop: "whatsapp",
        account_id: "default",
        state: "ok",
        since: at(10),
        sentence: "WhatsApp is connected.",
        code: "ok",
      },
      {
        ...{ hop: "whatsapp", account_id: "outlet", state: "down", since: at(60), code: "logged_out" },
        sentence: "logged_out is so. Mend it.",
      },
      { hop: "openclaw", account_id: null, state: "ok", since: at(10), sentence: expect.any(String), code: "ok" },
    ]);
    expect([hops.map(({ hop }) => hop).slice(2), alerts]).toEqual([["openclaw", "plugin", "sidecar", "hotbags"], 1]);
  });

  it("is not 'yes' while anything critical is told, but for a disk that fills up and what lies in the past", () => {
    const critical = (Object.keys(ALERTS) as Kind[]).filter((kind) => ALERTS[kind].severity === "critical");
    const passed = critical.filter((kind) => pathOf({ now: [kind], told: [kind] }).answered === "yes");
    expect(passed).toEqual(["downtime", "disk"]);
    expect(Object.keys(EFFECTS).sort()).toEqual(Object.keys(ALERTS).sort());
  });
});
