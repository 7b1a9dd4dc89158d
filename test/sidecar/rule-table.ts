import { INBOUND_PATH } from "../../shared/src/index.ts";
import { CONSEQUENCES, type Fault, RULES, type Rule } from "../../sidecar/src/relay/rules.ts";
import { ofAnswer } from "../../sidecar/src/relay/symptom.ts";

const FAULT: Record<Fault, string> = {
  credentials: "the credentials",
  gate: "what stands before Hot Bags",
  address: "the address",
  backend: "Hot Bags",
  machine: "this machine",
  contract: "the contract, which one side does not keep",
  nobody: "this machine's disk",
};

/** The rules as a Markdown table, in the order in which they count. */
export function drawRules(): string {
  const rows = RULES.map((rule) => [rule.answer, faultOf(rule), asideOf(rule), toldOf(rule), adviceOf(rule)]);
  const titles = [
    "answer",
    "different messages get it and none passes: at fault is",
    "one gets it while others pass: it steps aside",
    "the operator is told of it",
    "and to do this",
  ];
  return draw(titles, rows);
}

/** What follows, by what the evidence says, as a Markdown table. */
export function drawConsequences(): string {
  const titles = [
    "evidence",
    "whose fault",
    "this message",
    "its chat",
    "other chats",
    "its hours",
    "`/health`",
    "alert",
  ];
  const rows = Object.values(CONSEQUENCES).map(({ words }) => [
    ...[words.evidence, words.fault, words.message, words.chat],
    ...[words.others, words.hours, words.health, words.alert],
  ]);
  return draw(titles, rows);
}

function draw(titles: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(titles), `|${"---|".repeat(titles.length)}`, ...rows.map(line)].join("\n");
}

function faultOf({ fault, scope }: Rule): string {
  if (scope === "certain") return `${FAULT[fault]}, at the first already`;
  return scope === "nothing" ? "not concluded: it is about this message" : FAULT[fault];
}

function asideOf({ patience }: Rule): string {
  return Number.isFinite(patience) ? `at the ${ordinal(patience + 1)}` : "never";
}

function ordinal(n: number): string {
  return `${n}${["th", "st", "nd", "rd"][n] ?? "th"}`;
}

function toldOf({ alarmAtOnce, alarmAfterMs, fault }: Rule): string {
  if (fault === "nobody") return "when the file is lost";
  if (alarmAtOnce) return "at once";
  return alarmAfterMs === 0 ? "when it is known" : `when it lasts for ${alarmAfterMs / 60_000} min`;
}

function adviceOf(rule: Rule): string {
  const url = new URL(INBOUND_PATH, "https://shop.example");
  // For a redirect, that to a slash at the end.
  return rule.advice(ofAnswer(308, { location: `${INBOUND_PATH}/` }, url));
}
