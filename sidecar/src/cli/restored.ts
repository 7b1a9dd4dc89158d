import { systemClock } from "../clock.ts";
import { MoveRefusedError, RestoreRefusedError, restoredPostgres, StoreUnusableError } from "../store/index.ts";
import { confirm } from "./confirm.ts";
import { whoAmI } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { readSince } from "./list-options.ts";
import { count, type Output, say, shortTime, writeJson } from "./output.ts";

export interface RestoredOptions {
  /** Of BRIDGE_STORE; null: it is not set. */
  database: string | null;
  lostUntil?: string | undefined;
  yes: boolean;
}

/** `hotbags restored`. */
export async function sayRestored(options: RestoredOptions, output: Output): Promise<number> {
  const { database, yes } = options;
  if (database === null)
    throw new CliError(
      EXIT.no,
      "this sidecar's store is in its folder, since BRIDGE_STORE is not set: a backup of it is restored with `hotbags restore FILE`, which does the same",
    );
  const now = systemClock.now();
  const until = options.lostUntil === undefined ? null : Date.parse(readSince(options.lostUntil, now));
  if (until !== null && until > now) throw new CliError(EXIT.usage, "--lost-until is a time that was");
  await confirm(
    "The database of BRIDGE_STORE was restored: each reply that waits there may have been sent since, and so is in doubt from now on, for somebody to settle.",
    yes,
    output,
  );
  const { markRestored } = await restoredPostgres();
  const parts = { clock: systemClock, lostUntil: until, who: whoAmI() };
  const { name, madeAt, lostUntil, commands, messages } = await markRestored(database, parts).catch(refused);
  const [made_at, lost_until] = [new Date(madeAt).toISOString(), new Date(lostUntil).toISOString()];
  if (output.json) writeJson(output, { name, made_at, lost_until, in_doubt: commands, maybe_answered: messages });
  say(output, `${name} is as it was at about ${shortTime(made_at)}.`);
  sayDoubted({ commands, messages, lost_until }, output);
  say(output, "Now start the sidecars (systemctl start hotbags-sidecar, on each machine).");
  return EXIT.ok;
}

/** What nobody knows any more after a restore. */
export function sayDoubted(
  { commands, messages, lost_until }: { commands: number; messages: number; lost_until: string },
  output: Output,
): void {
  say(
    output,
    `${count(commands, "reply", "replies")} may have been sent since, and so are in doubt: hotbags commands list --state in_doubt\n` +
      `In doubt will be, too, what Hot Bags answers to ${count(messages, "message")} that waited, and to what was written by ${shortTime(lost_until)}.`,
  );
}

/** Throws a CliError for what was refused with a sentence for the operator. */
function refused(error: unknown): never {
  const isForOperator = [RestoreRefusedError, MoveRefusedError, StoreUnusableError].some(
    (kind) => error instanceof kind,
  );
  if (isForOperator) throw new CliError(EXIT.no, (error as Error).message);
  throw error;
}
