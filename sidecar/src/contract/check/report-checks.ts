import { randomUUID } from "node:crypto";
import { eventExamples, reportExamples } from "@hotbags/contract";
import { type BridgeEvent, count, type DeliveryReport } from "@hotbags/shared";
import type { Post } from "../backend.ts";
import { TEST_NUMBER } from "../test-message.ts";
import { type Check, fail, isRefused, pass, skip, statusOf } from "./check.ts";
import { type Context, isTaken } from "./context.ts";

// What a backend does with what it is told.

/** One thing that it is told, under its key. */
interface Told {
  name: string;
  key: string;
  body: DeliveryReport | BridgeEvent;
}

const reports: Check = {
  name: "reports",
  rule: "a delivery report of each state is taken with a 2xx, also when it comes twice; without a token it gets 401, and without a signature, where all is signed, a 4xx",
  needs: ["bearer"],
  async run(context) {
    const { reportsUrl } = context.backend.reportUrls;
    if (!reportsUrl) return skip("HOTBAGS_REPORTS_PATH is not set: none are sent");
    const { run } = context;
    const all = Object.entries(reportExamples).map(([name, example]): Told => {
      const [report_id, timestamp] = [randomUUID(), new Date().toISOString()];
      const of = { message_id: `CHECK-${run}-first`, command_id: `CHECK-${run}-${name}`, chat_id: TEST_NUMBER };
      return { name, key: report_id, body: { ...example, ...of, report_id, timestamp } };
    });
    return await tell(context, reportsUrl, "report", all);
  },
};

const events: Check = {
  name: "events",
  rule: "an event of each type is taken with a 2xx, also when it comes twice; without a token it gets 401, and without a signature, where all is signed, a 4xx",
  needs: ["bearer"],
  async run(context) {
    const { eventsUrl } = context.backend.reportUrls;
    if (!eventsUrl) return skip("HOTBAGS_EVENTS_PATH is not set: none are sent");
    const all = Object.entries(eventExamples).map(([name, example]): Told => {
      const event_id = randomUUID();
      // No account of anybody's.
      return { name, key: event_id, body: { ...example, event_id, transport_session_id: "whatsapp:contract-check" } };
    });
    return await tell(context, eventsUrl, "event", all);
  },
};

async function tell(context: Context, to: URL, what: "report" | "event", all: readonly Told[]) {
  const isSigned = context.backend.isSigned || context.backend.isWebhook;
  for (const told of all)
    for (const times of ["", "twice "]) {
      const posted = await post(context, to, told);
      if (!isTaken(posted))
        return fail(
          `the ${what} ${told.name} came ${times}and got ${statusOf(posted)}`,
          `answer any ${what} that is signed right with a 2xx, also one that is about nothing that you know`,
        );
    }
  for (const told of all.slice(0, 1)) {
    const stranger = await post(context, to, told, { token: null });
    if (stranger.status !== 401)
      return fail(
        `a ${what} without a token got ${statusOf(stranger)}`,
        `look at the token of ${what}s as at messages'`,
      );
    if (!isSigned) continue;
    const unsigned = await post(context, to, told, { signature: null, webhook: {} });
    if (!isRefused(unsigned))
      return fail(
        `a ${what} without a signature got ${statusOf(unsigned)}`,
        `look at the signature of ${what}s as at messages'`,
      );
  }
  const refused = `without a token${isSigned ? ", or a signature," : ""}`;
  return pass(`${count(all.length, what)} taken, twice each; refused ${refused}`);
}

function post({ backend }: Context, to: URL, { key, body }: Told, changes: Partial<Post> = {}) {
  const session = body.transport_session_id;
  return backend.post({
    to,
    key,
    session,
    body: Buffer.from(JSON.stringify(body)),
    ...changes,
  });
}

export const REPORT_CHECKS: readonly Check[] = [reports, events];
