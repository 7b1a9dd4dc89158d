import { describe, expect, it } from "vitest";
import { literal } from "./literal.ts";
import { ERROR_TABLE, type GatewayError, outcomeOfAskingAgain, outcomeOfFailure, type SendOutcome } from "./outcome.ts";

const process = { id: "boot-1", version: "2026.9.6" };

/** One error per row of ERROR_TABLE, in its order, as OpenClaw 2026.9.6 words it. */
const ANSWERS: readonly [what: string, error: GatewayError, kind: SendOutcome["kind"]][] = [
  [
    "a part was delivered",
    {
      code: "UNAVAILABLE",
      message: "Error: boom",
      retryable: false,
      details: { partialDelivery: { messageIds: ["A"], visibleReplySent: true } },
    },
    "in_doubt",
  ],
  [
    "WhatsApp is not connected",
    {
      code: "UNAVAILABLE",
      message: "OutboundDeliveryError: No active WhatsApp Web listener",
      details: { code: "OUTBOUND_DELIVERY_QUEUED" },
    },
    "queued_by_gateway",
  ],
  [
    "the gateway restarts",
    {
      code: "UNAVAILABLE",
      message: "send unavailable during gateway restart",
      retryable: true,
      retryAfterMs: 1000,
      details: { method: "send", reason: "gateway-restarting", phase: "draining" },
    },
    "not_sent",
  ],
  [
    "too many requests",
    {
      code: "UNAVAILABLE",
      message: "rate limit exceeded for send; retry after 2s",
      retryable: true,
      retryAfterMs: 2000,
      details: { method: "send", limit: "30 per 60s" },
    },
    "not_sent",
  ],
  [
    "its queue is full",
    { code: "UNAVAILABLE", message: "The server is busy. Please try again in a moment.", retryable: true },
    "not_sent",
  ],
  ["it is shutting down", { code: "UNAVAILABLE", message: "Error: Gateway request entry is closed" }, "not_sent"],
  [
    "a picture is none",
    { code: "UNAVAILABLE", message: "RastermillError: Unable to determine image dimensions; refusing to process" },
    "failed",
  ],
  [
    "a reaction while WhatsApp is not connected",
    {
      code: "UNAVAILABLE",
      message:
        "PlatformMessageNotDispatchedError: No active WhatsApp Web listener (account: default). Start the gateway",
    },
    "not_sent",
  ],
  [
    "reactions are switched off",
    { code: "UNAVAILABLE", message: 'Error: WhatsApp agent reactions disabled (reactionLevel="off"). Set channels' },
    "failed",
  ],
  [
    "a scope is missing",
    { code: "FORBIDDEN", message: "missing scope: operator.write", details: { code: "MISSING_SCOPE" } },
    "not_sent",
  ],
  [
    "lost authority in the middle",
    { code: "INVALID_REQUEST", message: "agent runtime authority is no longer active" },
    "in_doubt",
  ],
  ["no WhatsApp plugin", { code: "INVALID_REQUEST", message: "unsupported channel: whatsapp" }, "not_sent"],
  [
    "no such account",
    { code: "INVALID_REQUEST", message: 'MessageActionDeniedError: Unknown account "nope" for channel whatsapp.' },
    "failed",
  ],
];

const answered = (error: GatewayError) => outcomeOfFailure({ at: "answer", error }, process);

describe("what an error answer to send proves", () => {
  it.each(ANSWERS)("%s", (_what, error, kind) => {
    expect(answered(error).kind).toBe(kind);
  });

  it.each(ERROR_TABLE.map((row, at) => [row.when, row, at] as const))("row: %s", (_when, row, at) => {
    const example = ANSWERS[at]?.[1];
    expect(ERROR_TABLE.find(({ matches }) => example && matches(example))).toBe(row);
    expect(ANSWERS[at]?.[2]).toBe(row.verdict === "partial" ? "in_doubt" : row.verdict);
    const outcome = example && outcomeOfFailure({ at: "answer", error: example }, process);
    expect(outcome?.kind === "in_doubt" && outcome.partial === true).toBe(row.verdict === "partial");
  });

  it.each<[string, GatewayError]>([
    ["an UNAVAILABLE that says nothing more", { code: "UNAVAILABLE", message: "Error: No delivery result" }],
    [
      "a state lock that another process holds",
      {
        code: "UNAVAILABLE",
        message: "StateDatabaseCoordinatorContentionError: another OpenClaw process owns state-lifecycle",
      },
    ],
    [
      "the closed entry inside a delivery",
      { code: "UNAVAILABLE", message: "OutboundDeliveryError: Gateway request entry is closed" },
    ],
    ["a retryable UNAVAILABLE of unknown origin", { code: "UNAVAILABLE", message: "try later", retryable: true }],
    [
      "a queue code under another error code",
      { code: "WEIRD", message: "", details: { code: "OUTBOUND_DELIVERY_QUEUED" } },
    ],
    ["an answer that could not be serialised", { code: "UNAVAILABLE", message: "response serialization failed" }],
    [
      "a damaged installation",
      { code: "UNAVAILABLE", message: "…", retryable: false, details: { code: "STALE_INSTALL" } },
    ],
    ["a code from the future", { code: "NEW_CODE", message: "" }],
  ])("in doubt: %s", (_what, error) => {
    expect(answered(error)).toMatchObject({ kind: "in_doubt", process });
  });

  it("passes the gateway's wish to wait on", () => {
    const error = { code: "UNAVAILABLE", message: "", retryAfterMs: 500, details: { reason: "startup-sidecars" } };
    expect(answered(error)).toMatchObject({ kind: "not_sent", retryAfterMs: 500 });
  });

  it("names the time lock that WhatsApp has put the number under", () => {
    const error = {
      code: "UNAVAILABLE",
      message:
        "OutboundDeliveryError: WhatsApp reachout timelock is active; direct messages are temporarily blocked " +
        "(type=BIZ_QUALITY, until=2026-11-28T08:14:44.887Z) | OPENCLAW_PLATFORM_MESSAGE_NOT_DISPATCHED",
      details: { code: "OUTBOUND_DELIVERY_QUEUED" },
    };
    const timeLock = { kind: "BIZ_QUALITY", until: Date.UTC(2026, 10, 28, 8, 14, 44, 887) };
    expect(answered(error)).toMatchObject({ kind: "queued_by_gateway", timeLock });
  });

  it.each(ANSWERS)(
    "%s: keeps the gateway's words out of the reason, which has our own and the code",
    (_what, error) => {
      const words = "the words of a customer";
      const outcome = answered({ ...error, message: `${error.message} ${words}` });
      expect(outcome).toMatchObject({
        said: expect.stringContaining(words),
        reason: expect.stringContaining(error.code),
      });
      expect(outcome).not.toMatchObject({ reason: expect.stringContaining(words) });
    },
  );

  it("masks the numbers in the gateway's words and bounds them", () => {
    const outcome = answered({ code: "INVALID_REQUEST", message: `bad target +15550001234\n${"x".repeat(1000)}` });
    expect(outcome).toMatchObject({ said: expect.stringContaining("+1555…34") });
    expect(JSON.stringify(outcome)).not.toContain("15550001234");
    expect(JSON.stringify(outcome).length).toBeLessThan(500);
  });

  it("reads what OpenClaw quotes of a text as that was written", () => {
    const message = `refused: ${literal("*Two* || left <b>")}`;
    expect(answered({ code: "UNAVAILABLE", message })).toMatchObject({ said: "refused: *Two* || left <b>" });
  });
});

describe("what no answer proves", () => {
  it("never written: not sent", () => {
    expect(outcomeOfFailure({ at: "before_write", said: "no link" }, process)).toEqual({
      kind: "not_sent",
      reason: "it was not handed to the gateway",
      said: "no link",
    });
  });

  it("written and no answer: in doubt, with the process that was asked", () => {
    const outcome = outcomeOfFailure({ at: "no_answer", reason: "the link broke", said: "1006" }, process);
    expect(outcome).toEqual({ kind: "in_doubt", reason: "the link broke", said: "1006", process });
  });
});

describe("what asking again proves about the first time", () => {
  it.each<SendOutcome>([
    { kind: "sent", whatsappMessageId: "A" },
    { kind: "queued_by_gateway", reason: "" },
    { kind: "in_doubt", reason: "", process },
  ])("$kind stands", (outcome) => {
    expect(outcomeOfAskingAgain(outcome, process)).toBe(outcome);
  });

  it.each<SendOutcome>([
    { kind: "failed", reason: "the account is gone" },
    { kind: "not_sent", reason: "no link" },
  ])("$kind of now leaves it in doubt", (outcome) => {
    expect(outcomeOfAskingAgain(outcome, process)).toMatchObject({ kind: "in_doubt", process });
  });
});
