import { describeIssues, parseAnswer, responseEnvelope } from "@hotbags/shared";
import type { z } from "zod";
import { type Extras, readCommand } from "../commands/index.ts";
import type { CommandFromResponse } from "../store/index.ts";
import type { Symptom, Trouble } from "./symptom.ts";

/** How one POST ended. */
export type Outcome =
  | { kind: "answered"; status: number; response: string; commands: CommandFromResponse[] }
  | { kind: "failed"; symptom: Symptom };

/** The body of a 2xx, read. */
export type Reading = { ok: true; response: string; commands: CommandFromResponse[] } | Misread;

/** Reads the whole text of a 2xx. `extras`: what the operator lets Hot Bags use. */
export function readCommands(status: number, body: string, contentType: string, extras: Extras): Reading {
  const read = readEnvelope(status, body, contentType, responseEnvelope);
  if (!read.ok) return read;
  const { commands = [] } = read.envelope ?? {};
  return { ok: true, response: body, commands: commands.map((entry) => readCommand(entry, extras)) };
}

/** What is wrong with a 2xx. `what` completes "Hot Bags answered 200 with". */
export interface Misread {
  ok: false;
  trouble: Trouble;
  what: string;
}

/** Reads the JSON of a 2xx, as far as it has the form of one; null: a 204 with nothing. */
export function readEnvelope<Envelope extends { commands?: unknown[] | undefined }>(
  status: number,
  body: string,
  contentType: string,
  form: z.ZodType<Envelope>,
): { ok: true; envelope: Envelope | null } | Misread {
  const refused = (what: string, trouble: Trouble = "contract"): Misread => ({ ok: false, trouble, what });
  if (body === "") {
    if (status === 204) return { ok: true, envelope: null };
    // Mostly a handler that returns nothing. But a proxy that lost the answer looks the same, and a reply is lost.
    return refused("an empty body: if there is nothing to do, answer 204, or {}");
  }
  if (/^\s*text\/html\b/i.test(contentType) || /^\s*<(!doctype|html)\b/i.test(body))
    return refused("a web page", "page");
  try {
    const envelope = form.safeParse(parseAnswer(body));
    if (!envelope.success) return refused(`JSON that breaks the contract: ${describeIssues(envelope.error)}`);
    const { data } = envelope;
    if (data.commands === undefined && saysFailure(data)) return refused("JSON that says it failed", "failure");
    return { ok: true, envelope: data };
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
function saysFailure(answer: object): boolean {
  // Also 0, [] and {}: these say that there is none.
  const isSet = (value: unknown) =>
    Boolean(value) && (typeof value !== "object" || value === null || Object.keys(value).length > 0);
  const { success, ok, error, errors } = answer as Record<string, unknown>;
  return success === false || ok === false || isSet(error) || isSet(errors);
}
