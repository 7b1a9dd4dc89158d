import { accountId as accountIdSchema, chatId, maskAddress, reasonOf } from "@hotbags/shared";
import { GatewayClientRequestTimeoutError, isGatewayProtocolResponseError } from "@openclaw/gateway-client";
import { sendAnswer } from "./answers.ts";
import type { Link } from "./link.ts";
import { outcomeOfFailure, type SendFailure, type SendOutcome } from "./outcome.ts";
import type { GatewayProcess } from "./process.ts";
import type { SendRequest } from "./types.ts";

/**
 * What OpenClaw would get wrong instead of refusing: a LID becomes somebody else's phone number, and an id with surrounding
 * space is another idempotency key. Null if the request may go.
 */
function refusalOf(request: SendRequest): string | null {
  if (!chatId.safeParse(request.to).success) {
    return `${maskAddress(request.to)} is neither a phone number in E.164 nor a ...@g.us group`;
  }
  if (!accountIdSchema.safeParse(request.accountId).success) return "the account id is not valid";
  if (request.commandId.trim() === "") return "the command has no id";
  return null;
}

/** The chat is given where each method takes it: a call has none of its own. */
function paramsOf({ accountId, to, call, commandId }: SendRequest): Record<string, unknown> {
  const common = { channel: "whatsapp", accountId, idempotencyKey: commandId };
  if (call.method === "send") return { ...common, to, ...call.params };
  // As somebody with the gateway's token, not on behalf of an agent that a customer talks to.
  const asOperator = { conversationReadOrigin: "direct-operator" };
  return { ...common, ...asOperator, action: call.action, params: { ...call.params, chatJid: to } };
}

/**
 * One call over the link, judged. Never throws.
 *
 * The gateway remembers the key: asked twice at once it sends once, and for 300 s after the answer it gives that answer again, whatever
 * the text (dist inflight, server-constants; in memory, so per process). Its answer ok means that the message was written to WhatsApp's
 * socket, no more.
 */
export async function sendOver(
  link: Link,
  request: SendRequest,
  process: GatewayProcess | null,
  timeoutMs: number,
): Promise<SendOutcome> {
  const refusal = refusalOf(request);
  if (refusal !== null) return { kind: "failed", reason: refusal };
  let written = false;
  try {
    const answer = await link.request(request.call.method, paramsOf(request), {
      timeoutMs,
      onWritten: () => {
        written = true;
      },
    });
    // An ok is an ok, even if the message id cannot be read.
    const parsed = sendAnswer.safeParse(answer);
    return { kind: "sent", whatsappMessageId: parsed.success ? (parsed.data.messageId ?? null) : null };
  } catch (error) {
    return outcomeOfFailure(failureOf(error, written), process);
  }
}

function failureOf(error: unknown, written: boolean): SendFailure {
  if (written && isGatewayProtocolResponseError(error)) {
    const { gatewayCode: code, message, details, retryable, retryAfterMs } = error;
    return { at: "answer", error: { code, message, details, retryable, retryAfterMs } };
  }
  const said = reasonOf(error);
  if (!written) return { at: "before_write", said };
  if (error instanceof GatewayClientRequestTimeoutError) {
    return { at: "no_answer", reason: `the gateway did not answer within ${error.timeoutMs / 1000} s` };
  }
  return { at: "no_answer", reason: "the link broke before the gateway answered", said };
}
