import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { writeAnswer } from "./answer.ts";
import { createFaultScript, type FaultScript, isAfterProcessing } from "./faults.ts";
import { createLedger } from "./ledger.ts";
import type { Checked } from "./request.ts";

/** Where the mock takes delivery reports, or events: it checks them, keeps each once, and fails by a script of its own. */
export interface MockReports<Report> extends Pick<FaultScript<Report>, "next" | "faultFor"> {
  /** Once each, in the order in which they were taken. */
  readonly taken: readonly Report[];
  /** The keys of all attempts, in order. */
  readonly attempts: readonly string[];
}

interface ReportsParts<Report> {
  check(headers: IncomingHttpHeaders, rawBody: Buffer): Checked<Report>;
  violate(breach: string): void;
  onTaken(report: Report): void;
  /** Adds to a list, and forgets what is beyond its length. */
  keep<Item>(list: Item[], item: Item): void;
}

export function createReports<Report>({ check, violate, onTaken, keep }: ReportsParts<Report>) {
  const faults = createFaultScript<Report>();
  const keys = createLedger(() => {});
  const known = new Set<string>();
  const taken: Report[] = [];
  const attempts: string[] = [];
  const reports: MockReports<Report> = { taken, attempts, next: faults.next, faultFor: faults.faultFor };

  const answer = (headers: IncomingHttpHeaders, rawBody: Buffer, response: ServerResponse): void => {
    const { violations, refusal, body: report } = check(headers, rawBody);
    const key = String(headers["idempotency-key"]);
    for (const breach of violations) violate(`report ${key}: ${breach}`);
    keep(attempts, key);
    if (refusal !== undefined || report === undefined) return void writeAnswer(response, refusal ?? 422, "{}");
    if (keys.note(key, rawBody).otherBody) {
      violate(`report ${key}: the same key came with another body`);
      return void writeAnswer(response, 422, "{}");
    }
    const fault = faults.take(report);
    if (fault !== undefined && !isAfterProcessing(fault)) return void writeAnswer(response, 500, "", fault);
    if (!known.has(key)) {
      known.add(key);
      keep(taken, report);
      onTaken(report);
    }
    writeAnswer(response, 200, "{}", fault);
  };
  return { reports, answer };
}
