import { count } from "@hotbags/shared";
import type { Posted } from "../backend.ts";
import { type Check, fail, pass, skip, statusOf, wrong } from "./check.ts";
import { isTaken } from "./context.ts";

// What a backend does with a key that it has seen.

const AT_ONCE = 20;

const STORE_FIRST =
  "store the key and its answer in one transaction, under a unique index, and answer a known key from there";

/** What the sidecar would do by it, as one text. Undefined: it can't be read. */
function commandsOf({ outcome }: Posted): string | undefined {
  if (outcome.kind === "failed") return undefined;
  return JSON.stringify(outcome.commands.map(({ commandId, type, payload }) => [commandId, type, payload]));
}

const numberOf = ({ outcome }: Posted) => (outcome.kind === "answered" ? outcome.commands.length : 0);
const idle = (posted: Posted) =>
  numberOf(posted) === 0 ? "; but no commands came at all: let it answer this chat, or it proves little" : "";

const UNREADABLE = "the answers can't be read: see answer";

const retry: Check = {
  name: "key-again",
  rule: "the same key twice gets the same commands with the same ids",
  needs: ["taken"],
  async run(context) {
    const message = context.message("again");
    const [one, two] = [await context.post(message), await context.post(message)];
    for (const posted of [one, two]) if (!isTaken(posted)) return wrong(posted);
    const [before, after] = [commandsOf(one), commandsOf(two)];
    if (before === undefined || after === undefined) return skip(UNREADABLE);
    if (before !== after)
      return fail("other commands came the second time, and a customer would get both", STORE_FIRST);
    return pass(`the same ${count(numberOf(one), "command")}${idle(one)}`);
  },
};

const together: Check = {
  name: "key-at-once",
  rule: `the same key ${AT_ONCE} times at once gets one set of commands, or 409 while it is worked on`,
  needs: ["taken"],
  async run(context) {
    const message = context.message("at-once");
    const all = await Promise.all(Array.from({ length: AT_ONCE }, () => context.post(message)));
    all.push(await context.post(message));
    const busy = all.filter(({ status }) => status === 409).length;
    const other = all.find((posted) => !isTaken(posted) && posted.status !== 409);
    if (other) return wrong(other);
    const read = all.filter(isTaken).map(commandsOf);
    if (read.includes(undefined)) return skip(UNREADABLE);
    if (read.length === 0)
      return fail("409 also when all others were done", "end what a request has begun with its answer");
    const sets = new Set(read).size;
    if (sets > 1)
      return fail(`${sets} different sets of commands came, and a customer would get them all`, STORE_FIRST);
    return pass(`one set of commands, ${count(busy, "time")} 409`);
  },
};

const otherBody: Check = {
  name: "key-other-body",
  rule: "a known key with another body gets 409 or 422",
  needs: ["taken"],
  async run(context) {
    const message = context.message("other-body");
    const one = await context.post(message);
    if (!isTaken(one)) return wrong(one);
    const changed = { ...message, text: `${message.text} (changed)` };
    const posted = await context.post(changed);
    if (posted.status === 409 || posted.status === 422) return pass(`got ${posted.status}`);
    return fail(
      `another body under a known key got ${statusOf(posted)}`,
      "keep a hash of the body with the key, and answer 422 where it differs",
    );
  },
};

const ownIds: Check = {
  name: "command-ids",
  rule: "no command_id comes for two messages",
  needs: ["taken", "key-again"],
  async run(context) {
    const keys = new Map<string, string>();
    for (const [key, answers] of context.taken)
      for (const { outcome } of answers)
        for (const { commandId } of outcome.kind === "answered" ? outcome.commands : []) {
          if (commandId === null) continue;
          const other = keys.get(commandId);
          if (other !== undefined && other !== key)
            return fail(
              `the same command_id came for ${other} and ${key}: the second command would be refused, or skipped`,
              "give each command an id of its own, such as a UUID, and store it with the answer",
            );
          keys.set(commandId, key);
        }
    return pass(
      keys.size === 0
        ? "no commands came: let it answer this chat, or it proves little"
        : `${count(keys.size, "id")}, each once`,
    );
  },
};

export const KEY_CHECKS: readonly Check[] = [retry, together, otherBody];
/** To be run when all others have sent what they send. */
export const LATE_KEY_CHECKS: readonly Check[] = [ownIds];
