import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { DeliveryReport } from "@hotbags/shared";
import { writeAnswer } from "./answer.ts";
import { createFaultScript, type FaultScript, isAfterProcessing } from "./faults.ts";
import { createLedger } from "./ledger.ts";
import { checkReport, type Secrets } from "./request.ts";

/** Where the mock takes delivery reports: it checks them, keeps each once, and fails by a script of its own. */
export interface MockReports extends Pick<FaultScript<DeliveryReport>, "next" | "faultFor"> {
  /** Once each, in the order in which they were taken. */
  readonly taken: readonly DeliveryReport[];
  /** The keys of all attempts, in order. */
  readonly attempts: readonly string[];
}

interface ReportsParts {
  secrets(): Secrets;
  violate(breach: string): void;
  onTaken(report: DeliveryReport): void;
  /** Adds to a list, and forgets what is beyond its length. */
  keep<Item>(list: Item[], item: Item): void;
}

export function createReports({ secrets, violate, onTaken, keep }: ReportsParts) {
  const faults = createFaultScript<DeliveryReport>();
  const keys = createLedger(() => {});
  const taken: DeliveryReport[] = [];
  const attempts: string[] = [];
  const reports: MockReports = { taken, attempts, next: faults.next, faultFor: faults.faultFor };

  const answer = (headers: IncomingHttpHeaders, rawBody: Buffer, response: ServerResponse): void => {
    const { violations, refusal, body: report } = checkReport(headers, rawBody, secrets());
    for (const breach of violations) violate(`report ${report?.report_id ?? ""}: ${breach}`);
    keep(attempts, String(headers["idempotency-key"]));
    if (refusal !== undefined || !report) return void writeAnswer(response, refusal ?? 422, "{}");
    const { otherBody } = keys.note(report.report_id, rawBody);
    if (otherBody) {
      violate(`report ${report.report_id}: the same key came with another body`);
      return void writeAnswer(response, 422, "{}");
    }
    const fault = faults.take(report);
    if (fault !== undefined && !isAfterProcessing(fault)) return void writeAnswer(response, 500, "", fault);
    if (!taken.some(({ report_id }) => report_id === report.report_id)) {
      keep(taken, report);
      onTaken(report);
    }
    writeAnswer(response, 200, "{}", fault);
  };
  return { reports, answer };
}
