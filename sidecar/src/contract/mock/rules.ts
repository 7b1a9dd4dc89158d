import { describeIssues } from "@hotbags/shared";
import * as z from "zod";
import type { Fault } from "./faults.ts";
import type { AnswerScript, Command } from "./ledger.ts";
import type { Mock } from "./mock.ts";
import type { Message } from "./request.ts";

/** Largest file of rules, bytes: nobody writes more by hand. */
export const MAX_RULES_BYTES = 1024 * 1024;

/** So much of a customer's text is repeated, characters. */
const ECHOED_CHARACTERS = 1_000;

/** The rules won't do. The message says which and why. */
export class RulesError extends Error {
  override readonly name = "RulesError";
}

const expression = z.string().transform((text, ctx) => {
  try {
    return new RegExp(text, "iu");
  } catch {
    ctx.addIssue({ code: "custom", message: "must be a regular expression" });
    return z.NEVER;
  }
});

const fault: z.ZodType<Fault> = z.union(
  [
    z.enum(["drop", "hang", "drop-after-processing", "hang-after-processing", "truncate", "slow-body", "endless-body"]),
    z.strictObject({ delayMs: z.int().nonnegative().max(3_600_000) }),
    z.strictObject({ redirect: z.string(), status: z.int().min(300).max(399).default(307) }),
    z
      .strictObject({
        status: z.int().min(200).max(599),
        headers: z.record(z.string(), z.string()).default({}),
        body: z.string().default(""),
        retryAfter: z.union([z.int().nonnegative(), z.string()]).optional(),
      })
      .transform(({ retryAfter, ...rest }) => (retryAfter === undefined ? rest : { ...rest, retryAfter })),
  ],
  'must be such as "drop", {"status": 503}, {"delayMs": 2000} or {"redirect": "https://…"}',
);

/** One rule, for whoever wrote something else. */
const EXAMPLE = '{ "reply": "Hello" }';

const rules = z.array(
  z
    .strictObject(
      {
        /** All that is said here must be so; nothing: every message. */
        when: z
          .strictObject({
            text: expression.optional(),
            chat_id: z.string().optional(),
            media: z.enum(["image", "video", "audio", "document", "sticker", "unknown", "none"]).optional(),
          })
          .prefault({}),
        /** Texts to answer. `{text}` is the customer's own. */
        reply: z.union([z.string(), z.array(z.string())]).optional(),
        /** Or the commands themselves; one without `command_id` gets one. */
        commands: z.array(z.looseObject({ type: z.string() })).optional(),
        /** What to send later, by the outbox; to the same chat, unless it says `to`. */
        outbox: z.array(z.looseObject({ type: z.string() })).optional(),
        fault: fault.optional(),
        /** For so many requests, then no more. Only with `fault`. */
        times: z.int().positive().optional(),
      },
      { error: ({ code }) => (code === "invalid_type" ? `must be a rule, such as ${EXAMPLE}` : undefined) },
    )
    .refine(
      ({ reply, commands }) => reply === undefined || commands === undefined,
      "has reply and commands: choose one",
    )
    .refine(({ fault, times }) => times === undefined || fault !== undefined, "has times, but no fault"),
);
type Rule = z.output<typeof rules>[number];

/** What a mock without rules does: it repeats what it hears. */
export const ECHO = '[{ "reply": "You wrote: {text}" }]';

/**
 * Makes the mock answer and fail as the text of a file of rules says, and no longer as another one did. A message that
 * was answered already gets that answer again. Throws RulesError, and changes nothing then.
 */
export function applyRules(mock: Mock, text: string): void {
  const all = readRules(text);
  mock.clearFaults();
  mock.answers(
    scriptOf(
      all.filter(({ reply, commands, outbox }) => [reply, commands, outbox].some((one) => one !== undefined)),
      mock,
    ),
  );
  for (const rule of all)
    if (rule.fault !== undefined)
      mock.faultFor((message) => matches(rule, message), rule.fault, rule.times ?? Number.POSITIVE_INFINITY);
}

/** Throws RulesError. */
export function readRules(text: string): Rule[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RulesError("the rules are not JSON");
  }
  if (!Array.isArray(value)) throw new RulesError(`the rules must be a list, such as [${EXAMPLE}]`);
  const parsed = rules.safeParse(value);
  if (!parsed.success) throw new RulesError(`the rules: ${describeIssues(parsed.error)}`);
  return parsed.data;
}

/** The first rule that matches answers. */
function scriptOf(all: Rule[], { outbox }: Pick<Mock, "outbox">): AnswerScript {
  return (message) => {
    const rule = all.find((one) => matches(one, message));
    if (!rule) return [];
    const { message_id, chat_id: to, transport_session_id } = message;
    for (const [n, command] of (rule.outbox ?? []).entries()) {
      const own = { command_id: `${message_id}-later-${n + 1}`, to, transport_session_id };
      const text = typeof command["text"] === "string" ? { text: fill(command["text"], message) } : {};
      outbox.put({ ...own, ...command, ...text });
    }
    const replies = [rule.reply ?? []].flat().map((text) => ({ type: "send_text", text: fill(text, message) }));
    // The id comes of the message's: a mock that was started anew answers a key as it did before.
    return [...replies, ...(rule.commands ?? [])].map(
      (command, n): Command => ({ command_id: `${message.message_id}-${n + 1}`, ...command }),
    );
  };
}

function fill(text: string, message: Message): string {
  // No text at all, of a picture say, would be a command that is refused; and so would one that is too long.
  const own = message.text.slice(0, ECHOED_CHARACTERS).toWellFormed() || "(no text)";
  return text.replaceAll("{text}", () => own);
}

function matches({ when }: Rule, { text, chat_id, media }: Message): boolean {
  if (when.text && !when.text.test(text)) return false;
  if (when.chat_id !== undefined && when.chat_id !== chat_id) return false;
  if (when.media === "none") return media.length === 0;
  return when.media === undefined || media.some(({ type }) => type === when.media);
}
