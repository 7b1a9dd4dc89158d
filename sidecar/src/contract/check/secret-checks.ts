import { createHmac, randomBytes } from "node:crypto";
import { type Check, fail, isRefused, pass, skip, statusOf } from "./check.ts";
import { isTaken } from "./context.ts";

// Who the backend lets in.

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

/** So old, or so far ahead, is what somebody has recorded, ms. */
const STALE_MS = 15 * 60_000;

const webhook: Check = {
  name: "webhook",
  rule: "a request is refused unless it was signed, as it is, in the last minutes (Standard Webhooks)",
  needs: ["taken"],
  async run(context) {
    const { backend } = context;
    if (!backend.isWebhook) return skip("there is no HOTBAGS_WEBHOOK_SECRET: nothing is signed so");
    const todo =
      "compare webhook-signature with webhook-id, webhook-timestamp and the raw body, and webhook-timestamp with the clock, before JSON.parse, and answer 401 (verifyWebhook of @hotbags/contract, or a library of standardwebhooks.com)";
    /** Of a message: what is sent instead of the honest headers. */
    const forged: [string, (id: string, body: Buffer) => Record<string, string>][] = [
      ["no signature", () => ({})],
      ["a signature of 15 minutes ago", (id, body) => backend.webhookOf(id, body, Date.now() - STALE_MS)],
      ["a signature of 15 minutes ahead", (id, body) => backend.webhookOf(id, body, Date.now() + STALE_MS)],
      [
        "an old signature with a new time",
        (id, body) => {
          const { "webhook-timestamp": now } = backend.webhookOf(id, body);
          return { ...backend.webhookOf(id, body, Date.now() - STALE_MS), "webhook-timestamp": now ?? "" };
        },
      ],
      ["the signature of another body", (id, body) => backend.webhookOf(id, Buffer.concat([body, Buffer.from(" ")]))],
      ["the signature of another id", (id, body) => ({ ...backend.webhookOf("other", body), "webhook-id": id })],
      ["the signature of a stranger", (id, body) => ({ ...backend.webhookOf(id, body), ...strangersOf(body) })],
    ];
    for (const [n, [what, forge]] of forged.entries()) {
      const message = context.message(`webhook-${n}`);
      const headers = forge(message.message_id, Buffer.from(JSON.stringify(message)));
      const posted = await context.post(message, { webhook: headers });
      if (!isRefused(posted)) return fail(`${what} got ${statusOf(posted)}`, todo);
    }
    const message = context.message("webhook-several");
    const body = Buffer.from(JSON.stringify(message));
    const honest = backend.webhookOf(message.message_id, body);
    const several = `${strangersOf(body)["webhook-signature"]} ${honest["webhook-signature"]}`;
    const posted = await context.post(message, { webhook: { ...honest, "webhook-signature": several } });
    if (!isTaken(posted))
      return fail(
        `two signatures, the second of which is right, got ${statusOf(posted)}`,
        "take a request of which one signature is right: while the secret is replaced, it has two",
      );
    return pass(`refused: ${forged.map(([what]) => what).join(", ")}; taken: the right one behind another`);
  },
};

/** By a key that nobody knows. */
function strangersOf(body: Buffer) {
  return { "webhook-signature": `v1,${createHmac("sha256", randomBytes(32)).update(body).digest("base64")}` };
}

const former: Check = {
  name: "former-secret",
  rule: "while a secret is replaced, the new one, the former one or both are taken, and any other gets 401 or 403",
  needs: ["redirect", "protection"],
  async run(context) {
    const { backend } = context;
    const { passes } = backend;
    if (passes.length === 1) return skip("no HOTBAGS_BEARER_TOKEN_PREVIOUS or HOTBAGS_HMAC_SECRET_PREVIOUS is in use");
    const taken: string[] = [];
    const odd: string[] = [];
    for (const [n, { token, hmacSecret, isFormer }] of passes.entries()) {
      const message = context.message(`former-${n}`);
      const signature = backend.signatureOf(Buffer.from(JSON.stringify(message)), hmacSecret);
      const posted = await context.post(message, { token, signature });
      const which = (is: boolean) => (is ? "former" : "new");
      const key = hmacSecret === null ? "" : ` with the ${which(isFormer.hmacSecret)} key`;
      const what = `the ${which(isFormer.token)} token${key}`;
      if (isTaken(posted)) taken.push(what);
      else if (posted.status !== 401 && posted.status !== 403) odd.push(`${what} got ${statusOf(posted)}`);
    }
    if (taken.length === 0) return skip("neither the new secrets nor the former ones are taken: see taken");
    if (odd.length === 0) return pass(`taken: ${taken.join(", ")}`);
    return fail(odd.join(", "), "answer 401 or 403 to a token or a signature that you don't know");
  },
};

export const SECRET_CHECKS: readonly Check[] = [bearer, signature, webhook, former];
