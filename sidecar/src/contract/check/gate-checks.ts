import type { Posted } from "../backend.ts";
import { type Check, pass, wrong } from "./check.ts";
import type { Context } from "./context.ts";
import { isTaken } from "./context.ts";

// What stands before the backend.

const first = ({ first }: Context): Posted => {
  if (!first) throw new Error("the first message was not sent");
  return first;
};

const reachable: Check = {
  name: "reachable",
  rule: "a connection comes about, and something answers in HTTP",
  needs: [],
  async run(context) {
    context.first = await context.post(context.message("first"));
    const { status, durationMs } = context.first;
    return status === null ? wrong(context.first) : pass(`answered ${status} in ${durationMs} ms`);
  },
};

const redirect: Check = {
  name: "redirect",
  rule: "the address is the last one: no slash, http or www that leads elsewhere",
  needs: ["reachable"],
  async run(context) {
    const posted = first(context);
    const { outcome, status } = posted;
    const isLogin = outcome.kind === "failed" && outcome.symptom.isVercelLogin;
    return status !== null && status >= 300 && status < 400 && !isLogin ? wrong(posted) : pass("no redirect");
  },
};

const protection: Check = {
  name: "protection",
  rule: "no login or firewall of Vercel's stands in the way",
  needs: ["reachable"],
  async run(context) {
    const posted = first(context);
    const { outcome } = posted;
    const isGate = outcome.kind === "failed" && (outcome.symptom.isVercelLogin || outcome.symptom.isVercelFirewall);
    return isGate ? wrong(posted) : pass("none was seen");
  },
};

const taken: Check = {
  name: "taken",
  rule: "a message with the right token is answered 2xx",
  needs: ["redirect", "protection"],
  async run(context) {
    const posted = first(context);
    return isTaken(posted) ? pass(`answered ${posted.status}`) : wrong(posted);
  },
};

export const GATE_CHECKS: readonly Check[] = [reachable, redirect, protection, taken];
