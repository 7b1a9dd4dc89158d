import { describeIssues, parseAnswer, responseEnvelope } from "@hotbags/shared";
import { type Extras, readCommand } from "../commands/index.ts";
import type { CommandFromResponse } from "../store/index.ts";
import type { Symptom, Trouble } from "./symptom.ts";

/** How one POST ended. */
export type Outcome =
  | { kind: "answered"; status: number; response: string; commands: CommandFromResponse[] }
  | { kind: "failed"; symptom: Symptom };

/** The body of a 2xx, read. `what` completes "Hot Bags answered 200 with". */
export type Reading =
  | { ok: true; response: string; commands: CommandFromResponse[] }
  | { ok: false; trouble: Trouble; what: string };

/** Reads the whole text of a 2xx. `extras`: what the operator lets Hot Bags use. */
export function readCommands(status: number, body: string, contentType: string, extras: Extras): Reading {
  const refused = (what: string, trouble: Trouble = "contract"): Reading => ({ ok: false, trouble, what });
  if (body === "") {
    if (status === 204) return { ok: true, response: body, commands: [] };
    // Mostly a handler that returns nothing. But a proxy that lost the answer looks the same, and a reply is lost.
    return refused("an empty body: if there is nothing to do, answer 204, or {}");
  }
  if (/^\s*text\/html\b/i.test(contentType) || /^\s*<(!doctype|html)\b/i.test(body))
    return refused("a web page", "page");
  try {
    const envelope = responseEnvelope.safeParse(parseAnswer(body));
    if (!envelope.success) return refused(`JSON that breaks the contract: ${describeIssues(envelope.error)}`);
    const { data } = envelope;
    if (data.commands === undefined && saysFailure(data)) return refused("JSON that says it failed", "failure");
    return { ok: true, response: body, commands: (data.commands ?? []).map((entry) => readCommand(entry, extras)) };
  } catch (error) {
    if (error instanceof SyntaxError) return refused("something that is not JSON");
    if (error instanceof RangeError) return refused("JSON that is nested too deep");
    throw error;
  }
}

/**
 * Frameworks answer 200 to their own failures: taken for "nothing to do", the message would count as delivered and the
 * customer hear nothing.
 */
function saysFailure(answer: Record<string, unknown>): boolean {
  // Also 0, [] and {}: these say that there is none.
  const isSet = (value: unknown) =>
    Boolean(value) && (typeof value !== "object" || value === null || Object.keys(value).length > 0);
  const { success, ok, error, errors } = answer;
  return success === false || ok === false || isSet(error) || isSet(errors);
}
