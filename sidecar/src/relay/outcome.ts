import { describeIssues, parseAnswer, responseEnvelope, sendText } from "@hotbags/shared";
import type { CommandFromResponse } from "../store/index.ts";

/**
 * How one POST ended, by what is to be done about it:
 * - `answered`: a 2xx that keeps the contract.
 * - `backend`: Hot Bags or the way to it is at fault; every message would fail, so lanes wait.
 * - `message`: this message is at fault; its chat goes on without it.
 */
export type Outcome =
  | { kind: "answered"; status: number; response: string; commands: CommandFromResponse[] }
  | { kind: "backend"; status: number | null; error: string; retryAfterMs?: number | undefined; alarm?: boolean }
  | { kind: "message"; status: number; error: string };

/** Statuses below 500 that speak of the backend's state, not of the message. */
const BACKEND_STATUSES = new Set([408, 425, 429]);

/** Judges a complete answer. `body` is the whole response text. */
export function outcomeOf(status: number, body: string, waitMs: number | undefined): Outcome {
  if (status >= 200 && status < 300) return answered(status, body);
  if (status === 401 || status === 403) {
    const error = `Hot Bags refused the credentials (${status}): check HOTBAGS_BEARER_TOKEN and, if it is on, HOTBAGS_HMAC_SECRET`;
    return { kind: "backend", status, error, alarm: true };
  }
  if (status >= 300 && status < 400) {
    // Following it would hand the bearer token and a customer's message to whoever is named there.
    return {
      kind: "backend",
      status,
      error: `Hot Bags answered with a redirect (${status}), which is never followed: correct HOTBAGS_BASE_URL`,
      alarm: true,
    };
  }
  if (status >= 500 || BACKEND_STATUSES.has(status))
    return { kind: "backend", status, error: `Hot Bags answered ${status}`, retryAfterMs: waitMs };
  return { kind: "message", status, error: `Hot Bags refused this message with ${status}` };
}

function answered(status: number, body: string): Outcome {
  const refused = (how: string): Outcome => ({
    kind: "message",
    status,
    error: `Hot Bags answered ${status} with ${how}`,
  });
  if (body === "") {
    if (status === 204) return { kind: "answered", status, response: body, commands: [] };
    // Mostly a handler that returns nothing. But a proxy that lost the answer looks the same, and a reply is lost.
    return refused("an empty body: if there is nothing to do, answer 204, or {}");
  }
  try {
    const envelope = responseEnvelope.safeParse(parseAnswer(body));
    if (!envelope.success) return refused(`JSON that breaks the contract: ${describeIssues(envelope.error)}`);
    return { kind: "answered", status, response: body, commands: (envelope.data.commands ?? []).map(readCommand) };
  } catch (error) {
    if (error instanceof SyntaxError) return refused("something that is not JSON");
    if (error instanceof RangeError) return refused("JSON that is nested too deep");
    throw error;
  }
}

/** One entry of `commands[]`. Whatever it is, it becomes a row: executable, or refused with the reason. */
function readCommand(entry: unknown): CommandFromResponse {
  const parsed = sendText.safeParse(entry);
  if (parsed.success) {
    const { command_id: commandId, type, text } = parsed.data;
    return { commandId, type, text, payload: JSON.stringify([type, text]), refusal: null };
  }
  const fields: Record<string, unknown> = typeof entry === "object" && entry !== null ? { ...entry } : {};
  const text = (name: string) => (typeof fields[name] === "string" ? fields[name].slice(0, 256) : null);
  const type = text("type");
  const refusal =
    type !== null && type !== "send_text"
      ? { state: "skipped" as const, reason: `the type ${JSON.stringify(type.slice(0, 64))} is not known here` }
      : { state: "failed" as const, reason: `not a valid command: ${describeIssues(parsed.error)}` };
  return { commandId: text("command_id") || null, type, text: null, payload: JSON.stringify(entry) ?? "null", refusal };
}
