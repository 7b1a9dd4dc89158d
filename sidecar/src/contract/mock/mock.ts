import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { INBOUND_PATH } from "@hotbags/shared";
import { writeAnswer } from "./answer.ts";
import { createFaultScript, type Fault, type FaultScript, isAfterProcessing } from "./faults.ts";
import { type AnswerScript, createLedger, type Issued } from "./ledger.ts";
import { checkRequest, type Message, type Secrets } from "./request.ts";

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
};

export type MockEvent =
  | { type: "up" | "down"; at: number }
  | { type: "attempt" | "answered"; at: number; attempt: Attempt }
  | { type: "accepted"; at: number; message: Message }
  | { type: "issued"; at: number; issued: Issued }
  | { type: "violation"; at: number; violation: string };

export type Mock = Pick<FaultScript, "next" | "faultFor"> & {
  /** The base URL, without the path. */
  readonly url: string;
  readonly port: number;
  /** Sets the script of answers. It is asked once per key; without it no message is answered with commands. */
  answers(script: AnswerScript): void;
  /** Forgets the faults that were not used yet. */
  clearFaults(): void;
  /** Every attempt, in order. */
  readonly requests: readonly Attempt[];
  /** Accepted messages, once per key, in order. */
  readonly accepted: readonly Message[];
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

/**
 * A Hot Bags backend on loopback. It checks each request as the real one would, answers by script, and fails by script.
 * With `hmacSecret` a valid signature is required; without it, sending one is a violation.
 */
export async function startMock({ port, ...secrets }: Secrets & { port: number }): Promise<Mock> {
  const ledger = createLedger();
  const faults = createFaultScript();
  const requests: Attempt[] = [];
  const accepted: Message[] = [];
  const violations: string[] = [];
  const listeners = new Set<(event: MockEvent) => void>();
  let script: AnswerScript = () => [];

  const emit = (event: MockEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const violate = (attempt: Attempt | undefined, breach: string): void => {
    const violation = attempt?.key === undefined ? breach : `${attempt.key}: ${breach}`;
    violations.push(violation);
    emit({ type: "violation", at: Date.now(), violation });
  };

  const accept = async (key: string, message: Message): Promise<string> => {
    const { first, commands: workedOut } = ledger.process(key, message, script);
    const commands = await workedOut;
    const body = JSON.stringify({ commands });
    if (!first) return body;
    accepted.push(message);
    emit({ type: "accepted", at: Date.now(), message });
    for (const command of commands) emit({ type: "issued", at: Date.now(), issued: { key, command } });
    return body;
  };

  const answer = async (attempt: Attempt, response: ServerResponse): Promise<number | undefined> => {
    const verdict = checkRequest(attempt.headers, attempt.rawBody, secrets);
    attempt.body = verdict.message;
    for (const breach of verdict.violations) violate(attempt, breach);
    if (verdict.refusal !== undefined || verdict.message === undefined) {
      return writeAnswer(response, verdict.refusal ?? 422, JSON.stringify({ error: "contract" }));
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
    const rawBody = await readBody(request);
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
    };
    response.once("close", () => {
      attempt.endedAt = Date.now();
      emit({ type: "answered", at: attempt.endedAt, attempt });
    });
    requests.push(attempt);
    emit({ type: "attempt", at: attempt.at, attempt });
    if (request.method !== "POST" || request.url !== INBOUND_PATH) {
      violate(attempt, `${request.method} ${request.url} is not in the contract`);
      attempt.status = writeAnswer(response, 404, "{}");
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
    next: faults.next,
    faultFor: faults.faultFor,
    clearFaults: faults.clear,
    requests,
    accepted,
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

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
