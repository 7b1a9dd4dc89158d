import { maskAddress, otherForm } from "@hotbags/shared";
import { keptStates } from "../backup/kept.ts";
import type { Output as Answer } from "../operator/schemas.ts";
import { confirm } from "./confirm.ts";
import type { Operator } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { count, type Output, say, writeFacts, writeJson } from "./output.ts";

export interface ForgetOptions {
  number: string;
  dryRun: boolean;
  includingWaiting: boolean;
  /** Nobody is asked. */
  yes: boolean;
}

type Step = Answer<"forget">;
type Found = Step["found"];

/** `hotbags forget`: says what there is of a customer, asks, and forgets it. */
export async function forgetCustomer(operator: Operator, options: ForgetOptions, output: Output): Promise<number> {
  const { number, dryRun, includingWaiting, yes } = options;
  const who = maskAddress(number);
  const { found } = await run(operator, { number, dry_run: true }, "counted", output);
  if (dryRun || !output.json) show(found, output);
  const other = otherForm(number);
  if (other) say(output, `WhatsApp may know this phone as ${other.number}, too: hotbags forget ${other.number}`);
  const waits = found.waiting + found.replies_waiting + found.replies_in_doubt;
  if (found.replies_being_sent > 0)
    say(
      output,
      `${count(found.replies_being_sent, "reply")} to ${who} are with the gateway: ask again when it has sent them.`,
    );
  if (waits > 0 && !includingWaiting)
    say(
      output,
      `${waits} of them wait, or are in doubt: settle them first, or say --including-waiting to give them up.`,
    );
  if (dryRun) {
    sayKept(operator.stateDir, who, output);
    return EXIT.ok;
  }
  if (found.replies_being_sent > 0 || (waits > 0 && !includingWaiting)) throw new CliError(EXIT.no, "nothing was done");
  const plan = `All that the sidecar has of ${who} will be deleted, for good; hashes of its keys stay.`;
  await confirm(plan, yes, output);
  const done = await run(operator, { number, including_waiting: includingWaiting }, "done", output);
  if (output.json) writeJson(output, done);
  else conclude(done, who, output);
  sayKept(operator.stateDir, who, output);
  return done.number_gone ? EXIT.ok : EXIT.no;
}

/** Asks until it is through. Resolves with the last answer, whose numbers are those of all. */
async function run(
  operator: Operator,
  request: { number: string; dry_run?: boolean; including_waiting?: boolean },
  what: string,
  output: Output,
): Promise<Step> {
  let all: Step | undefined;
  do {
    const { next, left = 0, forgotten = 0 } = all ?? {};
    const step: Step = await operator.ask("forget", { ...request, after: next ?? 0, left, forgotten });
    all = all ? { ...step, ...add(all, step) } : step;
    if (step.next !== null) say(output, `${Math.floor(step.progress * 100)} % ${what}`);
  } while (all.next !== null);
  return all;
}

function add(a: Step, b: Step): Pick<Step, "found" | "forgotten" | "left"> {
  const names = Object.keys(a.found) as (keyof Found)[];
  const found = Object.fromEntries(names.map((name) => [name, a.found[name] + b.found[name]])) as Found;
  return { found, forgotten: a.forgotten + b.forgotten, left: a.left + b.left };
}

function show(found: Found, output: Output): void {
  if (output.json) return writeJson(output, found);
  writeFacts(output, [
    ["messages", found.messages],
    ["waiting", found.waiting],
    ["dead letters", found.dead],
    ["replies waiting", found.replies_waiting],
    ["in doubt", found.replies_in_doubt],
    ["being sent", found.replies_being_sent],
    ["files", found.files],
  ]);
}

/** What nothing is deleted in. */
function sayKept(stateDir: string, who: string, output: Output): void {
  const kept = keptStates(stateDir);
  if (kept.length === 0) return;
  const folders = kept.map((folder) => `  ${folder}\n`).join("");
  say(output, `Earlier states may have ${who} still; when you need them no more, delete them:\n${folders}`);
}

function conclude({ forgotten, left, number_gone, log_cleared }: Step, who: string, output: Output): void {
  say(output, `${count(forgotten, "message")} of ${who} forgotten.`);
  if (!number_gone)
    say(output, `${count(left, "message")} stay, and the number: something has come to wait meanwhile. Ask again.`);
  if (!log_cleared)
    say(output, "The database's log still has a trace of it, which goes by itself: something reads the database.");
  say(output, "Elsewhere: docs/operations.md says where else it may be.");
}
