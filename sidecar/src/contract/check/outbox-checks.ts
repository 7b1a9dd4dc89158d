import { count, FIRST_CURSOR } from "@hotbags/shared";
import { ruleFor } from "../../relay/rules.ts";
import { ofOutbox } from "../../relay/sentences.ts";
import { type Check, fail, pass, skip } from "./check.ts";
import type { Context } from "./context.ts";

// What a backend gives of itself. Only from the beginning: a further cursor would say that all before it was taken.

/** So long it may wait for a command, s. */
const WAIT_SECONDS = 1;

const NOT_ASKED = "BRIDGE_OUTBOUND is off: it is not asked";
const QUESTION = { after: FIRST_CURSOR, wait: WAIT_SECONDS };

const outbox: Check = {
  name: "outbox",
  rule: "a question for the outbox is answered 204, or with commands that can be sent and a cursor behind them, in time and twice the same",
  needs: ["bearer"],
  async run(context) {
    const { backend, slowMs } = context;
    const url = backend.outboxUrl;
    if (!url) return skip(NOT_ASKED);
    const [first, second] = [await backend.poll(url, QUESTION), await backend.poll(url, QUESTION)];
    for (const { outcome } of [first, second])
      if (outcome.kind === "failed")
        return fail(outcome.symptom.seen, ofOutbox(outcome.symptom, ruleFor(outcome.symptom)));
    if (first.outcome.kind === "failed" || second.outcome.kind === "failed") return skip("it did not answer");
    const { commands } = first.outcome;
    const wrong = commands.find(({ command }) => command.refusal?.state === "failed");
    if (wrong) return fail(`a command in it can't be sent: ${wrong.command.refusal?.reason}`, "docs/contract says how");
    const ids = ({ commands: all }: typeof first.outcome) => all.map(({ command }) => command.commandId);
    const again = ids(second.outcome);
    if (ids(first.outcome).some((id, n) => id !== again[n]))
      return fail("the same question got other commands", "give all behind the cursor in one order, again and again");
    if (Math.max(first.durationMs, second.durationMs) > WAIT_SECONDS * 1_000 + slowMs)
      return fail(`it took ${first.durationMs} ms`, `answer 204 when \`wait\` (${WAIT_SECONDS} s) is over`);
    return pass(
      commands.length === 0 ? `nothing is in it (${first.status})` : `${count(commands.length, "command")} in it`,
    );
  },
};

const stranger: Check = {
  name: "outbox-bearer",
  rule: "without a token, or with a wrong one, a question for the outbox gets 401",
  needs: ["outbox"],
  async run({ backend, run }: Context) {
    const url = backend.outboxUrl;
    if (!url) return skip(NOT_ASKED);
    for (const token of [null, `not-the-token-${run}`]) {
      const { status } = await backend.poll(url, QUESTION, token);
      if (status !== 401)
        return fail(
          `a question ${token === null ? "without a token" : "with a wrong token"} got ${status ?? "no answer"}`,
          "look at the token of GETs as at that of POSTs: numbers and texts of customers are in the answer",
        );
    }
    return pass("401 without a token, and with a wrong one");
  },
};

export const OUTBOX_CHECKS: readonly Check[] = [outbox, stranger];
