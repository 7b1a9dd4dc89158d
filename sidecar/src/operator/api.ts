import { describeIssues } from "@hotbags/shared";
import type { Answers } from "./answers/answer.ts";
import { auditAnswers } from "./answers/audit.ts";
import { chatAnswers } from "./answers/chats.ts";
import { commandAnswers } from "./answers/commands.ts";
import { consoleAnswers } from "./answers/console.ts";
import { customerAnswers } from "./answers/customers.ts";
import { fleetAnswers } from "./answers/fleet.ts";
import { messageAnswers } from "./answers/messages.ts";
import { explain, OperatorError } from "./error.ts";
import { type ApiParts, runningOf } from "./running.ts";
import { DEFAULT_LIMIT } from "./schemas/values.ts";
import { type Output, ROUTES, type RouteName } from "./schemas.ts";

/** Answers what an operator asks, whichever way it came. Texts are given to nobody whose name is not in the audit. */
export class OperatorApi {
  readonly #answers: Answers<RouteName>;

  constructor(parts: ApiParts) {
    this.#answers = answersOf(parts);
  }

  /** `input`: as it came. `id`: of the path; 0 where it has none. `who`: the system user. Rejects with OperatorError. */
  async answer<Name extends RouteName>(name: Name, input: unknown, id: number, who: string): Promise<Output<Name>> {
    const route = ROUTES[name];
    const parsed = route.input.safeParse(input);
    if (!parsed.success) throw new OperatorError(400, describeIssues(parsed.error));
    const answer = this.#answers[name] as (input: unknown, id: number, who: string) => Promise<unknown>;
    return route.output.parse(await answer(parsed.data, id, who).catch(explain)) as Output<Name>;
  }
}

/** Those of a subject that has more than one line of its own are in answers/. */
function answersOf(parts: ApiParts): Answers<RouteName> {
  return {
    status: async () => parts.status(),

    path: async () => parts.path(),

    figures: async ({ range = "day" }) => parts.figures(range),

    ...fleetAnswers(parts),
    ...messageAnswers(parts),
    ...commandAnswers(parts),
    ...chatAnswers(parts),

    config: async () => runningOf(parts).config(),

    reload: async (_input, _id, who) => runningOf(parts).reload(who),

    diagnose: async ({ test_alert = false }) => ({ findings: await runningOf(parts).diagnose(test_alert) }),

    accounts: async () => runningOf(parts).accounts(),

    startLogin: async ({ account_id }, _id, who) => {
      const { startLogin, store } = runningOf(parts);
      const step = await startLogin(account_id, who);
      // Whoever has the code can have the account's messages: nobody is given one whose name can't be written down.
      const entry = { who, action: "link WhatsApp anew", kind: "settings", subject: 0 } as const;
      if (step.state !== "failed") await store.note({ ...entry, result: `a code for account ${account_id}` });
      return step;
    },

    waitLogin: async ({ account_id, qr }) => runningOf(parts).waitLogin(account_id, qr),

    alerts: async ({ limit = DEFAULT_LIMIT }) => parts.alerts(limit),

    testAlerts: async () => ({ channels: await runningOf(parts).testAlerts() }),

    ...customerAnswers(parts),
    ...auditAnswers(parts),
    ...consoleAnswers(parts),
  };
}
