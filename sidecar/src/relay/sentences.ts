import type { Rule } from "./rules.ts";
import type { Symptom } from "./symptom.ts";

/** What is said of a failure: only what was seen, and what to do. No word of a customer's or of the backend's. */

/** Of one attempt. */
export function ofFailure(symptom: Symptom, rule: Rule): string {
  return `${symptom.seen}: ${rule.advice(symptom)}`;
}

/** Different messages fail and none passes. `isOneChat`: all of them are of one, so nobody knows of the others. */
export function ofDeployment(symptom: Symptom, rule: Rule, messages: number, isOneChat: boolean): string {
  const isSure = rule.scope === "certain";
  const toAll = isSure ? "" : `, and ${messages} different messages have failed since one passed`;
  const doubt = isOneChat && !isSure ? "They are all of one chat, so it may be something in that one alone. " : "";
  const wait = "All messages wait in order, and none loses its time";
  return `${symptom.seen} at ${shown(symptom.url)}${toAll}: ${rule.advice(symptom)}. ${doubt}${wait}`;
}

/** This one fails while others pass. */
export function ofMessage(symptom: Symptom, rule: Rule): string {
  const what = "to this message again, while others pass: it is tried again apart from its chat, which goes on";
  return `${symptom.seen} ${what}. If it lasts, ${rule.advice(symptom)}`;
}

/** This one fails, and there was no other to compare with. */
export function ofLone(symptom: Symptom, rule: Rule, failures: number): string {
  const times = failures === 1 ? "to a message" : `${failures} times to the same message`;
  const doubt = "No other message was sent meanwhile, so it may be this one alone";
  return `${symptom.seen} at ${shown(symptom.url)} ${times}: ${rule.advice(symptom)}. ${doubt}`;
}

/** Of a report, whose path `setting` names. What is wrong with its address is none of the messages'. */
export function ofReport(symptom: Symptom, rule: Rule, setting: string): string {
  const isAddress = rule.fault === "address" && symptom.status !== null && symptom.status >= 400;
  const own = `correct ${setting}, or take it out to be told nothing there`;
  return `${symptom.seen} at ${shown(symptom.url)}: ${isAddress ? own : rule.advice(symptom)}`;
}

/** Of a question for the outbox. */
export function ofOutbox(symptom: Symptom, rule: Rule): string {
  const isAddress = rule.fault === "address" && symptom.status !== null && symptom.status >= 400;
  const own = "correct HOTBAGS_OUTBOX_PATH, or set BRIDGE_OUTBOUND=off if Hot Bags has no outbox";
  const broken = "nothing of it is taken: answer 204, or a cursor with commands (docs/contract)";
  const advice = isAddress ? own : symptom.trouble === "contract" ? broken : rule.advice(symptom);
  return `${symptom.seen} at ${shown(symptom.url)}: ${advice}`;
}

function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}
