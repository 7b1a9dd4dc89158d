import { randomUUID } from "node:crypto";
import { reportExamples } from "@hotbags/contract";
import type { DeliveryReport } from "@hotbags/shared";
import { count } from "@hotbags/shared";
import { TEST_NUMBER } from "../test-message.ts";
import { type Check, fail, pass, skip, statusOf } from "./check.ts";
import { type Context, isTaken } from "./context.ts";

// What a backend does with delivery reports.

const reports: Check = {
  name: "reports",
  rule: "a delivery report of each state is taken with a 2xx, also when it comes twice; without a token it gets 401",
  needs: ["bearer"],
  async run(context) {
    const { reportsUrl } = context.backend;
    if (!reportsUrl) return skip("HOTBAGS_REPORTS_PATH is not set: none are sent");
    for (const [name, example] of Object.entries(reportExamples)) {
      const report = { ...ofTest(example, context.run), command_id: `CHECK-${context.run}-${name}` };
      for (const times of ["", "twice "]) {
        const posted = await post(context, reportsUrl, report);
        if (!isTaken(posted))
          return fail(
            `the report ${name} came ${times}and got ${statusOf(posted)}`,
            "answer any report that is signed right with a 2xx, also of a command that is not known any more",
          );
      }
    }
    const stranger = await post(context, reportsUrl, ofTest(reportExamples.sent, context.run), null);
    if (stranger.status !== 401)
      return fail(`a report without a token got ${statusOf(stranger)}`, "look at the token of reports as at messages'");
    return pass(`${count(Object.keys(reportExamples).length, "report")} taken, twice each; without a token 401`);
  },
};

function ofTest(example: DeliveryReport, run: string): DeliveryReport {
  const now = new Date().toISOString();
  return {
    ...example,
    report_id: randomUUID(),
    message_id: `CHECK-${run}-first`,
    chat_id: TEST_NUMBER,
    timestamp: now,
  };
}

function post({ backend }: Context, to: URL, report: DeliveryReport, token?: null) {
  const { report_id: key, transport_session_id: session } = report;
  const body = Buffer.from(JSON.stringify(report));
  return backend.post({ to, key, session, body, ...(token === null ? { token } : {}) });
}

export const REPORT_CHECKS: readonly Check[] = [reports];
