import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { FIRST_CURSOR, isFurther, MAX_COMMANDS, OUTBOX_PATH } from "@hotbags/shared";
import { writeAnswer } from "./answer.ts";
import { createFaultScript, type FaultScript, isAfterProcessing } from "./faults.ts";
import type { Command } from "./ledger.ts";
import type { PollVerdict } from "./request.ts";

/** A command of the outbox. A wrong one may lack what it needs: that is for the bridge to refuse. */
export type OutboxCommand = Command & { to?: unknown; transport_session_id?: unknown };

/** One question for what is in it. */
export interface OutboxPoll {
  after: string;
  waitSeconds: number;
}

/** The mock's outbox: what is put in is given once it is asked for, again and again until the bridge has gone on. */
export interface MockOutbox extends Pick<FaultScript<OutboxPoll>, "next" | "faultFor"> {
  put(...commands: OutboxCommand[]): void;
  /** What was put in, in order; the cursor behind each is its place, from 1. */
  readonly commands: readonly OutboxCommand[];
  /** Every question, in order. */
  readonly polls: readonly OutboxPoll[];
  /** Questions that wait for a command. */
  readonly open: number;
}

interface OutboxParts {
  check(headers: IncomingHttpHeaders): PollVerdict;
  violate(breach: string): void;
  onPut(command: OutboxCommand): void;
  /** Adds to a list, and forgets what is beyond its length. */
  keep<Item>(list: Item[], item: Item): void;
}

const QUERY = /^\?after=(0|[1-9]\d{0,18})&wait=(\d{1,3})$/;

/** Whether it is a question for the outbox. */
export function isOutbox(method: string | undefined, url: string | undefined): boolean {
  return method === "GET" && URL.parse(url ?? "", "http://mock")?.pathname === OUTBOX_PATH;
}

export function createOutbox({ check, violate, onPut, keep }: OutboxParts) {
  const faults = createFaultScript<OutboxPoll>();
  const commands: OutboxCommand[] = [];
  const polls: OutboxPoll[] = [];
  /** What to do when a command was put in. */
  const waiting = new Set<() => void>();

  const outbox: MockOutbox = {
    ...{ commands, polls, next: faults.next, faultFor: faults.faultFor },
    get open() {
      return waiting.size;
    },
    put(...more) {
      for (const command of more) {
        commands.push(command);
        onPut(command);
      }
      for (const look of [...waiting]) look();
    },
  };

  const give = (after: string, response: ServerResponse, fault?: ReturnType<typeof faults.take>): boolean => {
    const from = Number(after);
    const page = commands.slice(from, from + MAX_COMMANDS);
    if (page.length === 0) return false;
    writeAnswer(response, 200, JSON.stringify({ cursor: String(from + page.length), commands: page }), fault);
    return true;
  };

  const answer = (url: string, headers: IncomingHttpHeaders, response: ServerResponse): void => {
    const { violations, refusal } = check(headers);
    for (const breach of violations) violate(`outbox: ${breach}`);
    if (refusal !== undefined) return void writeAnswer(response, refusal, "{}");
    const [, after = FIRST_CURSOR, wait = "0"] = QUERY.exec(URL.parse(url, "http://mock")?.search ?? "") ?? [];
    if (!QUERY.test(URL.parse(url, "http://mock")?.search ?? "")) {
      violate(`outbox: ${url} is not in the contract`);
      return void writeAnswer(response, 422, "{}");
    }
    const poll = { after, waitSeconds: Number(wait) };
    keep(polls, poll);
    const fault = faults.take(poll);
    if (fault !== undefined && !isAfterProcessing(fault)) return void writeAnswer(response, 500, "", fault);
    if (isFurther(after, String(commands.length))) violate(`outbox: nobody has given the cursor ${after}`);
    if (give(after, response, fault)) return;
    if (fault !== undefined) return void writeAnswer(response, 200, "{}", fault);
    const over = () => {
      clearTimeout(timer);
      waiting.delete(look);
    };
    const look = () => {
      if (response.destroyed || give(after, response)) over();
    };
    const timer = setTimeout(() => {
      over();
      response.writeHead(204).end();
    }, poll.waitSeconds * 1_000);
    waiting.add(look);
    response.once("close", over);
  };
  return { outbox, answer };
}
