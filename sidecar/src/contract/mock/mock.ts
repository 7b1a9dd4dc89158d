import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type BridgeEvent, type DeliveryReport, EVENTS_PATH, INBOUND_PATH, REPORTS_PATH } from "@hotbags/shared";
import { writeAnswer } from "./answer.ts";
import { createFaultScript, type Fault, type FaultScript, isAfterProcessing } from "./faults.ts";
import { type AnswerScript, createLedger, type Issued } from "./ledger.ts";
import { createReports, type MockReports } from "./reports.ts";
import { checkEvent, checkPing, checkReport, checkRequest, type Message, type Secrets } from "./request.ts";

/** Most that is read of a body, bytes: more than the contract allows, so that this can be said of it. */
const MAX_READ_BYTES = 64 * 1024 * 1024;

/** One request as it came, also the refused and the spoiled ones. Times are Unix milliseconds. */
export type Attempt = {
  at: number;
  /** When the answer was out or the connection gone; undefined while it is open. */
  endedAt: number | undefined;
  /** The Idempotency-Key header. */
  key: string | undefined;
  /** The status the client could see; undefined if it saw none. */
  status: number | undefined;
  fault: Fault | undefined;
  headers: IncomingMessage["headers"];
  rawBody: Buffer;
  /** The parsed body, if it is one. */
  body: Message | undefined;
  /** The key was seen before, whatever came of it then. */
  duplicate: boolean;
  /** Its breaches of the contract. */
  violations: string[];
};

/** Answers a request that is no message, and returns whether it did. */
export type OtherRequests = (request: IncomingMessage, response: ServerResponse) => boolean;

export type MockEvent =
  | { type: "up" | "down"; at: number }
  | { type: "attempt" | "answered"; at: number; attempt: Attempt }
  | { type: "accepted"; at: number; message: Message }
  | { type: "issued"; at: number; issued: Issued }
  | { type: "reported"; at: number; report: DeliveryReport }
  | { type: "happened"; at: number; event: BridgeEvent }
  | { type: "violation"; at: number; violation: string };

export type Mock = Pick<FaultScript, "next" | "faultFor"> & {
  /** The base URL, without the path. */
  readonly url: string;
  readonly port: number;
  /** Sets the script of answers. It is asked once per key; without it no message is answered with commands. */
  answers(script: AnswerScript): void;
  /** Lets this answer what is no message, before it counts as a breach. */
  answersOthers(others: OtherRequests): void;
  /** From now on it takes these secrets, and no others. */
  knows(secrets: Secrets): void;
  /** Forgets the faults that were not used yet. */
  clearFaults(): void;
  /** Every attempt, in order. */
  readonly requests: readonly Attempt[];
  /** The answers to requests that ask only whether it is there, in order: 204 with the token, 401 without. */
  readonly pings: readonly number[];
  /** Accepted messages, once per key, in order. */
  readonly accepted: readonly Message[];
  /** Where it takes delivery reports. */
  readonly reports: MockReports<DeliveryReport>;
  /** And events of the bridge. */
  readonly happenings: MockReports<BridgeEvent>;
  /** Every breach of the contract. A test takes out those it provoked, and asserts that none is left. */
  readonly violations: string[];
  /** Commands issued, once each, with their message's key. */
  readonly issued: readonly Issued[];
  /** Calls the listener for what happens from now on. Returns how to stop that. */
  onEvent(listener: (event: MockEvent) => void): () => void;
  /** Down: connections are cut and new ones refused. Memory is kept. */
  stop(): Promise<void>;
  /** Up again on the same port. Rejects if somebody else took it. */
  start(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export interface MockOptions extends Secrets {
  port: number;
  /** So many of the last requests, messages, breaches and commands are kept to be looked at. Default: all. */
  keep?: number;
}

/**
 * A Hot Bags backend on loopback. It checks each request as the real one would, answers by script, and fails by script.
 * With `hmacSecret` or `webhookSecret` a valid signature is required; without it, sending one is a violation.
 */
export async function startMock({ port, keep = Infinity, ...firstSecrets }: MockOptions): Promise<Mock> {
  let secrets: Secrets = firstSecrets;
  const ledger = createLedger((issued, one) => keepLast(issued, keep, one));
  const faults = createFaultScript();
  const requests: Attempt[] = [];
  const pings: number[] = [];
  const accepted: Message[] = [];
  const violations: string[] = [];
  const listeners = new Set<(event: MockEvent) => void>();
  let script: AnswerScript = () => [];
  let answersOther: OtherRequests = () => false;

  const emit = (event: MockEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const violate = (attempt: Attempt | undefined, breach: string): void => {
    attempt?.violations.push(breach);
    const violation = attempt?.key === undefined ? breach : `${attempt.key}: ${breach}`;
    keepLast(violations, keep, violation);
    emit({ type: "violation", at: Date.now(), violation });
  };

  const common = {
    violate: (breach: string) => violate(undefined, breach),
    keep: <Item>(list: Item[], item: Item) => keepLast(list, keep, item),
  };
  const { reports, answer: answerReport } = createReports<DeliveryReport>({
    ...common,
    check: (headers, rawBody) => checkReport(headers, rawBody, secrets),
    onTaken: (report) => emit({ type: "reported", at: Date.now(), report }),
  });
  const { reports: happenings, answer: answerHappening } = createReports<BridgeEvent>({
    ...common,
    check: (headers, rawBody) => checkEvent(headers, rawBody, secrets),
    onTaken: (event) => emit({ type: "happened", at: Date.now(), event }),
  });

  const accept = async (key: string, message: Message): Promise<string> => {
    const { first, commands: workedOut } = ledger.process(key, message, script);
    const commands = await workedOut;
    const body = JSON.stringify({ commands });
    if (!first) return body;
    keepLast(accepted, keep, message);
    emit({ type: "accepted", at: Date.now(), message });
    for (const command of commands) emit({ type: "issued", at: Date.now(), issued: { key, command } });
    return body;
  };

  const answer = async (attempt: Attempt, response: ServerResponse): Promise<number | undefined> => {
    const verdict = checkRequest(attempt.headers, attempt.rawBody, secrets);
    attempt.body = verdict.message;
    for (const breach of verdict.violations) violate(attempt, breach);
    if (verdict.refusal !== undefined || verdict.message === undefined) {
      return writeAnswer(response, verdict.refusal ?? 422, breachesOf(verdict.violations));
    }
    const key = verdict.message.message_id;
    const { duplicate, otherBody } = ledger.note(key, attempt.rawBody);
    attempt.duplicate = duplicate;
    if (otherBody) {
      violate(attempt, "the same key came with another body");
      return writeAnswer(response, 422, JSON.stringify({ error: "idempotency key reused" }));
    }
    const fault = faults.take(verdict.message);
    attempt.fault = fault;
    if (typeof fault === "object" && "status" in fault && fault.status === 413) ledger.forget(key);
    if (fault !== undefined && !isAfterProcessing(fault)) return writeAnswer(response, 500, "", fault);
    return writeAnswer(response, 200, await accept(key, verdict.message), fault);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (answersOther(request, response)) return;
    const rawBody = await readBody(request);
    if (request.method === "HEAD") {
      const ping = checkPing(request.headers, rawBody, secrets);
      keepLast(pings, keep, ping.status);
      for (const breach of ping.violations) violate(undefined, `ping: ${breach}`);
      response.writeHead(request.url === INBOUND_PATH ? ping.status : 404).end();
      return;
    }
    if (request.method === "POST" && request.url === REPORTS_PATH)
      return answerReport(request.headers, rawBody, response);
    if (request.method === "POST" && request.url === EVENTS_PATH)
      return answerHappening(request.headers, rawBody, response);
    const key = request.headers["idempotency-key"];
    const attempt: Attempt = {
      at: Date.now(),
      endedAt: undefined,
      key: typeof key === "string" ? key : undefined,
      status: undefined,
      fault: undefined,
      headers: request.headers,
      rawBody,
      body: undefined,
      duplicate: false,
      violations: [],
    };
    response.once("close", () => {
      attempt.endedAt = Date.now();
      emit({ type: "answered", at: attempt.endedAt, attempt });
    });
    keepLast(requests, keep, attempt);
    emit({ type: "attempt", at: attempt.at, attempt });
    if (request.method !== "POST" || request.url !== INBOUND_PATH) {
      violate(attempt, `${request.method} ${request.url} is not in the contract`);
      attempt.status = writeAnswer(response, 404, breachesOf(attempt.violations));
      return;
    }
    attempt.status = await answer(attempt, response);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // A request cut short by the client or by stop() is its own affair; anything else is a fault of the test's script.
      if (request.complete) violate(undefined, `the mock failed: ${String(error)}`);
      response.destroy();
    });
  });

  const start = async (): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
    await promise;
    emit({ type: "up", at: Date.now() });
  };

  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
    emit({ type: "down", at: Date.now() });
  };

  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    answers: (newScript) => {
      script = newScript;
    },
    answersOthers: (others) => {
      answersOther = others;
    },
    next: faults.next,
    faultFor: faults.faultFor,
    knows: (others) => {
      secrets = others;
    },
    clearFaults: faults.clear,
    requests,
    pings,
    accepted,
    reports,
    happenings,
    violations,
    issued: ledger.issued,
    onEvent(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop,
    start,
    close: stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The body of a refusal, for whoever tries it out by hand: what the page shows, too. */
function breachesOf(violations: readonly string[]): string {
  return JSON.stringify({ error: `not as the contract says: ${violations.join("; ")}` });
}

/** Adds to a list, and forgets what is beyond its length. */
function keepLast<Item>(list: Item[], length: number, item: Item): void {
  list.push(item);
  if (list.length > length) list.shift();
}

/** Throws where it is far more than any message: that is to fill the memory of nobody. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_READ_BYTES) throw new Error(`a body has more than ${MAX_READ_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
