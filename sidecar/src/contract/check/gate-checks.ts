import type { Posted } from "../backend.ts";
import { type Check, fail, pass, skip, statusOf, wrong } from "./check.ts";
import type { Context } from "./context.ts";
import { isTaken } from "./context.ts";

// What stands before the backend, and who it lets in.

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

const bearer: Check = {
  name: "bearer",
  rule: "any other token, or none, gets 401",
  needs: ["taken"],
  async run(context) {
    const tokens = { "no token": null, "a wrong token": "contract-check-wrong-token" };
    const seen: string[] = [];
    for (const [n, [what, token]] of Object.entries(tokens).entries()) {
      const posted = await context.post(context.message(`bearer-${n}`), { token });
      if (posted.status !== 401)
        return fail(
          `${what} got ${statusOf(posted)}`,
          "answer 401 before anything else unless Authorization is `Bearer <HOTBAGS_BEARER_TOKEN>`",
        );
      seen.push(`${what} got 401`);
    }
    return pass(seen.join(", "));
  },
};

/** What an attacker sends with the signature of another body. */
const FORGED: [string, (honest: Buffer) => Buffer][] = [
  ["a changed body", (honest) => Buffer.concat([honest, Buffer.from(" ")])],
  ["an empty body", () => Buffer.alloc(0)],
  ["a body of 4 MB", () => Buffer.alloc(4_000_000, "x")],
];

const signature: Check = {
  name: "signature",
  rule: "a body is refused unless X-HotBags-Signature is its own",
  needs: ["taken"],
  async run(context) {
    if (!context.backend.isSigned) return skip("HOTBAGS_HMAC_DISABLED is true: nothing is signed");
    const isRefused = ({ status }: Posted) => status !== null && status >= 400 && status < 500;
    const todo =
      "compare X-HotBags-Signature with the HMAC-SHA256 of the raw body, before JSON.parse, and answer 401 (verifySignature of @hotbags/contract)";
    const unsigned = await context.post(context.message("unsigned"), { signature: null });
    if (!isRefused(unsigned)) return fail(`a body without a signature got ${statusOf(unsigned)}`, todo);
    for (const [n, [what, forge]] of FORGED.entries()) {
      const message = context.message(`forged-${n}`);
      const honest = Buffer.from(JSON.stringify(message));
      const posted = await context.post(message, {
        body: forge(honest),
        signature: context.backend.signatureOf(honest),
      });
      if (!isRefused(posted)) return fail(`${what} with the signature of another one got ${statusOf(posted)}`, todo);
    }
    return pass("refused: no signature, a changed body, an empty one, and one of 4 MB");
  },
};

export const GATE_CHECKS: readonly Check[] = [reachable, redirect, protection, taken, bearer, signature];
