import type { Dispatcher } from "undici";
import type { Extras } from "../commands/index.ts";
import { AnswerError, readAnswer } from "./answer.ts";
import { type PolledOutcome, readOutbox } from "./outbox-answer.ts";
import { type Misread, type Outcome, readCommands } from "./outcome.ts";
import { retryAfterMs } from "./retry-after.ts";
import { ofAnswer, type Symptom } from "./symptom.ts";

/**
 * What is read of the body behind a status that says it all, and for how long, ms: to its end, it leaves the connection
 * for the next message. But its chat waits meanwhile.
 */
const MAX_REST_BYTES = 64 * 1024;
const MAX_REST_MS = 1_000;

/** `maxRetryAfterMs`: the longest wait that a `Retry-After` can ask for. `accepts`: what Hot Bags may use. */
interface Terms {
  maxRetryAfterMs: number;
  accepts: Extras;
}

/** What an answer from `url` means, with its body read. Throws what the body does where the connection breaks. */
export async function outcomeOf(response: Dispatcher.ResponseData, url: URL, terms: Terms): Promise<Outcome> {
  const { accepts, maxRetryAfterMs } = terms;
  return await read(response, url, maxRetryAfterMs, (status, text, type) => {
    const reading = readCommands(status, text, type, accepts);
    return reading.ok ? { kind: "answered", status, ...reading } : reading;
  });
}

/** The same of an answer of the outbox, which was asked for what comes after this cursor. */
export async function polledOf(
  response: Dispatcher.ResponseData,
  url: URL,
  { after, accepts, maxRetryAfterMs }: Terms & { after: string },
): Promise<PolledOutcome> {
  return await read(response, url, maxRetryAfterMs, (status, text, type) =>
    readOutbox(status, text, type, accepts, after),
  );
}

async function read<Answered extends { kind: "answered" }>(
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  url: URL,
  maxRetryAfterMs: number,
  readText: (status: number, text: string, contentType: string) => Answered | Misread,
): Promise<Answered | { kind: "failed"; symptom: Symptom }> {
  const wait = waitIn(headers, maxRetryAfterMs);
  const failed = (what?: Parameters<typeof ofAnswer>[4]) => ({
    kind: "failed" as const,
    symptom: ofAnswer(status, headers, url, wait, what),
  });
  if (status < 200 || status >= 300) {
    // What it says beside its status is of no use to us, nor is how it ends.
    await dropRest(body);
    return failed();
  }
  try {
    const text = await readAnswer(body, headers["content-encoding"]);
    const reading = readText(status, text, String(headers["content-type"] ?? ""));
    return "kind" in reading ? reading : failed(reading);
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error;
    return failed({ trouble: "contract", what: error.message });
  }
}

/** What an answer means of which the status says it all. A web page is mostly a login, and nobody there has read anything. */
export async function takenOf(
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  url: URL,
  maxRetryAfterMs: number,
): Promise<Outcome> {
  const wait = waitIn(headers, maxRetryAfterMs);
  await dropRest(body);
  const isPage = status < 300 && /^\s*text\/html\b/i.test(String(headers["content-type"] ?? ""));
  if (status >= 200 && status < 300 && !isPage) return { kind: "answered", status, response: "", commands: [] };
  const page = isPage ? ({ trouble: "page", what: "a web page" } as const) : undefined;
  return { kind: "failed", symptom: ofAnswer(status, headers, url, wait, page) };
}

function waitIn(headers: Dispatcher.ResponseData["headers"], maxMs: number): number | undefined {
  const header = headers["retry-after"];
  return retryAfterMs(Array.isArray(header) ? header[0] : header, Date.now(), maxMs);
}

/** Reads what follows a status that says it all, as far as that is worth it. Never rejects. */
export async function dropRest(body: Dispatcher.ResponseData["body"]): Promise<void> {
  await body.dump({ limit: MAX_REST_BYTES, signal: AbortSignal.timeout(MAX_REST_MS) }).catch(() => {});
}
