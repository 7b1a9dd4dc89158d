import { setTimeout as after } from "node:timers/promises";
import type { Command, Message, WholeMessage } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import { readDuration } from "./list-options.ts";
import { count, duration, green, type Output, plain, red, say, shortTime, writeJson, writeText } from "./output.ts";

/** How often it is looked how far the message is, ms. */
const LOOK_MS = 500;

/** Nothing more comes of a reply in one of these. */
const ENDED: ReadonlySet<Command["state"]> = new Set(["sent", "in_doubt", "failed", "skipped"]);

interface PairCheckOptions {
  /** The number that writes; undefined: the first message that comes, whoever's. */
  from: string | undefined;
  for: string;
}

/** Which message is followed. */
interface AwaitedMessage {
  since: string;
  from: string | undefined;
}

interface Verdict {
  ok: boolean;
  /** What was seen on the way, in order. */
  steps: string[];
  /** Where it ended, and what to do. */
  judgement: string;
}

/** `hotbags pair-check`: one message from a phone is followed to Hot Bags, and what comes back to WhatsApp. */
export async function pairCheck(operator: Operator, options: PairCheckOptions, output: Output): Promise<number> {
  const ms = readDuration(options.for);
  // Before anybody is asked to write: whoever is quick would be missed.
  const since = new Date().toISOString();
  const who = options.from ?? "a number that is let in (allowFrom)";
  say(output, `Now write to the shop with WhatsApp, from ${who}: any text. Waiting for it for ${options.for} …`);
  const verdict = await follow(operator, { since, from: options.from }, performance.now() + ms);
  if (output.json) writeJson(output, verdict);
  else {
    const { out } = output;
    for (const step of verdict.steps) writeText(output, plain(step));
    writeText(output, verdict.ok ? green(verdict.judgement, out) : red(verdict.judgement, out));
  }
  return verdict.ok ? EXIT.ok : EXIT.no;
}

async function follow(operator: Operator, awaited: AwaitedMessage, deadline: number): Promise<Verdict> {
  const arrived = await until(deadline, () => firstOf(operator, awaited));
  if (!arrived) {
    const judgement =
      "Nothing has come. Does the phone show two ticks? Then OpenClaw has it, and may not let this number in (allowFrom); hotbags doctor says what else can be wrong.";
    return { ok: false, steps: [], judgement };
  }
  const { id } = arrived;
  const whole = () => operator.ask("message", {}, id);
  await until(deadline, async () => (isThrough(await whole()) ? true : null));
  return judge(await whole());
}

/** The first one that came, of this number or of anybody. */
async function firstOf(operator: Operator, { since, from }: AwaitedMessage): Promise<Message | null> {
  const filter = from === undefined ? { since } : { since, chat: from };
  const { messages } = await operator.ask("messages", filter);
  return messages.at(-1) ?? null;
}

function isThrough({ state, commands }: WholeMessage): boolean {
  if (state === "pending" || state === "detached") return false;
  return commands.every((command) => ENDED.has(command.state));
}

function judge(message: WholeMessage): Verdict {
  const { id, state, status, received_at, duration_ms, commands, last_error, attempts } = message;
  const steps = [`taken from the plugin at ${shortTime(received_at)}, as message ${id}`];
  const stuck = (judgement: string): Verdict => ({ ok: false, steps, judgement });
  if (state !== "delivered") {
    steps.push(`not taken by Hot Bags in ${count(attempts, "attempt")}: ${last_error ?? "it has not been asked yet"}`);
    return stuck(`Hot Bags has not got it: hotbags doctor, and hotbags messages show ${id}.`);
  }
  const took = duration_ms === null ? "" : ` in ${duration(duration_ms)}`;
  const failures = attempts > 1 ? `, at attempt ${attempts}` : "";
  steps.push(`Hot Bags answered ${status}${took}${failures}, with ${count(commands.length, "command")}`);
  for (const { id: command, type, state: became, settled_at, reason } of commands)
    steps.push(
      `command ${command} (${type}): ${became}${settled_at ? ` at ${shortTime(settled_at)}` : ""}${reason ? `: ${reason}` : ""}`,
    );
  const replies = commands.filter(({ type }) => type === "send_text");
  const late = replies.find((reply) => reply.state !== "sent");
  if (late) return stuck(`A reply has not gone out: hotbags commands show "#${late.id}".`);
  if (replies.length === 0)
    return {
      ok: true,
      steps,
      judgement: "Messages reach Hot Bags. It had no reply, so the way back is not proven: have it give one.",
    };
  return { ok: true, steps, judgement: "The whole way works. See on the phone that the reply is there." };
}

/** What `look` gives once it gives something; null when the time is over. */
async function until<T>(deadline: number, look: () => Promise<T | null>): Promise<T | null> {
  for (;;) {
    const found = await look();
    if (found !== null || performance.now() > deadline) return found;
    await after(LOOK_MS);
  }
}
