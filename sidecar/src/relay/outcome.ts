import {
  type Command,
  commands,
  describeIssues,
  keyOfId,
  parseAnswer,
  responseEnvelope,
  shownName,
} from "@hotbags/shared";
import type { CommandFromResponse } from "../store/index.ts";
import type { Symptom, Trouble } from "./symptom.ts";

/** So much is kept of what a command calls its type, characters. */
const MAX_TYPE_LENGTH = 256;

/** How one POST ended. */
export type Outcome =
  | { kind: "answered"; status: number; response: string; commands: CommandFromResponse[] }
  | { kind: "failed"; symptom: Symptom };

/** The body of a 2xx, read. `what` completes "Hot Bags answered 200 with". */
export type Reading =
  | { ok: true; response: string; commands: CommandFromResponse[] }
  | { ok: false; trouble: Trouble; what: string };

/** Reads the whole text of a 2xx. */
export function readCommands(status: number, body: string, contentType: string): Reading {
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
    return { ok: true, response: body, commands: (data.commands ?? []).map(readCommand) };
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

/** One entry of `commands[]`. Whatever it is, it becomes a row: executable, or refused with the reason. */
function readCommand(entry: unknown): CommandFromResponse {
  const fields: Record<string, unknown> = typeof entry === "object" && entry !== null ? { ...entry } : {};
  const { command_id: id, type: given } = fields;
  const commandId = typeof id === "string" && id !== "" ? keyOfId(id) : null;
  const type = typeof given === "string" ? given.slice(0, MAX_TYPE_LENGTH) : null;
  const isKnown = type === null || Object.hasOwn(commands, type);
  const parsed = commands[isKnown && type !== null ? (type as Command["type"]) : "send_text"].safeParse(entry);
  if (parsed.success) return executable(parsed.data);
  const refusal = isKnown
    ? { state: "failed" as const, reason: `not a valid command: ${describeIssues(parsed.error)}` }
    : { state: "skipped" as const, reason: `the type "${shownName(type ?? "")}" is not known here` };
  return { commandId, type, text: null, payload: JSON.stringify(entry) ?? "null", refusal };
}

function executable(command: Command): CommandFromResponse {
  const { command_id: commandId, type } = command;
  const common = { commandId, type, refusal: null };
  switch (command.type) {
    case "send_text":
      return { ...common, text: command.text, payload: JSON.stringify([type, command.text]) };
    case "pause_chat": {
      const { for_seconds, replies } = command;
      const order = { kind: "pause", forMs: for_seconds * 1_000, replies } as const;
      return { ...common, text: null, payload: JSON.stringify([type, for_seconds, replies]), order };
    }
    case "resume_chat":
      return { ...common, text: null, payload: JSON.stringify([type]), order: { kind: "resume" } };
  }
}
