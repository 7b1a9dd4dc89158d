import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { json } from "node:stream/consumers";
import { setTimeout as after } from "node:timers/promises";
import { codeOf } from "@hotbags/shared";
import { API_PREFIX, EVENTS, type LiveEvent, refusal } from "../operator/schemas.ts";
import { operatorSocketOf } from "../operator/server.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { type Output, plain, red, say, shortTime, wrap } from "./output.ts";

/** How long a sidecar that has ended is waited for before it is tried again, ms. */
const RETRY_MS = 500;

/** Nobody listens there (any more). */
const AWAY = new Set(["ENOENT", "ECONNREFUSED", "ECONNRESET", "ENOTDIR", "EPIPE"]);

/** What an operator should look at. */
const BAD = new Set(["dead", "failed", "in_doubt"]);

/** `hotbags tail`: what happens, until it is interrupted. A sidecar that is started again is followed on. */
export async function tail(
  { stateDir, chat }: { stateDir: string; chat?: string | undefined },
  output: Output,
): Promise<number> {
  const socketPath = operatorSocketOf(stateDir);
  const told = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => told.abort());
  // Whoever reads it may have enough, as `head` does.
  output.out.once("error", () => told.abort());
  let followed = false;
  let isAway = false;
  while (!told.signal.aborted) {
    const stream = await connect(socketPath, chat, told.signal);
    if (stream) {
      if (isAway) say(output, `${now()}  The sidecar is back. What it has done meanwhile is in hotbags messages list.`);
      else if (!followed) say(output, "What happens from now on; Ctrl+C ends it.");
      followed = true;
      isAway = false;
      await follow(stream, output, told.signal);
    } else if (!followed && !told.signal.aborted)
      throw new CliError(EXIT.unreachable, `no sidecar runs on ${stateDir}: there is nothing to follow`);
    if (told.signal.aborted) break;
    if (!isAway) say(output, `${now()}  The sidecar has ended. It is waited for.`);
    isAway = true;
    await after(RETRY_MS, undefined, { signal: told.signal }).catch(() => {});
  }
  return EXIT.ok;
}

/** Undefined: nobody is there. Throws CliError. */
async function connect(socketPath: string, chat: string | undefined, signal: AbortSignal) {
  const query = chat === undefined ? "" : `?${new URLSearchParams({ chat })}`;
  const call = request({ socketPath, path: `${API_PREFIX}${EVENTS.path}${query}`, signal });
  call.end();
  try {
    const [response] = (await once(call, "response")) as [IncomingMessage];
    if (response.statusCode === 200) return response;
    const { error } = refusal.parse(await json(response));
    throw new CliError(response.statusCode === 400 ? EXIT.usage : EXIT.unreachable, error);
  } catch (error) {
    if (signal.aborted || AWAY.has(codeOf(error))) return undefined;
    if (codeOf(error) === "EACCES") throw new CliError(EXIT.unreachable, `this user may not operate ${socketPath}`);
    throw error;
  }
}

/** Resolves when the stream has ended, whatever the reason. */
async function follow(stream: IncomingMessage, output: Output, signal: AbortSignal): Promise<void> {
  try {
    for await (const line of createInterface({ input: stream, signal })) {
      const event = EVENTS.output.parse(JSON.parse(line));
      output.out.write(output.json ? `${line}\n` : `${draw(event, output)}\n`);
    }
  } catch (error) {
    if (!signal.aborted && !AWAY.has(codeOf(error))) throw error;
  }
}

function draw(event: LiveEvent, { out }: Output): string {
  if (event.kind === "missed") return `${shortTime(event.at)}  ${event.count} more, which this was too slow for`;
  const { at, kind, id, what, chat, message_id, command_id, reason } = event;
  const shown = what.replaceAll("_", " ").padEnd(14);
  const which = `${kind} ${id}${(message_id ?? command_id) ? ` (${plain(message_id ?? command_id ?? "")})` : ""}`;
  const why = reason === null || !(BAD.has(what) || what === "attempt_failed") ? "" : `: ${plain(reason)}`;
  const begun = `${shortTime(at)}  `;
  const line = `${BAD.has(what) ? red(shown, out) : shown}  ${chat.padEnd(12)}  ${which}${why}`;
  return begun + wrap(line, out, begun.length);
}

function now(): string {
  return shortTime(new Date().toISOString());
}
