import { tellerOf } from "../alerts/table.ts";
import { systemClock } from "../clock.ts";
import { type Moved, move } from "../moving/move.ts";
import { databaseUrl } from "../settings/forms.ts";
import {
  MoveRefusedError,
  movingPostgres,
  openSqliteSource,
  openSqliteTarget,
  StoreUnusableError,
  undoMove,
} from "../store/index.ts";
import { reporter } from "./backup.ts";
import { confirm } from "./confirm.ts";
import { whoAmI } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { count, type Output, say, writeJson } from "./output.ts";

export interface MigrateOptions {
  stateDir: string;
  /** The address of the PostgreSQL to move to, or from. Empty: that of BRIDGE_STORE. */
  to?: string | undefined;
  back?: string | undefined;
  undo: boolean;
  yes: boolean;
  /** Of BRIDGE_STORE; null: it is not set. */
  database: string | null;
}

/** `hotbags migrate`. */
export async function migrate(options: MigrateOptions, output: Output): Promise<number> {
  const { to, back, undo, stateDir, database } = options;
  if (undo) return await undoOne(options, output);
  if ((to === undefined) === (back === undefined))
    throw new CliError(EXIT.usage, "say --to, from this machine's folder to PostgreSQL, or --back, from there");
  const url = addressOf(to ?? back ?? "", database);
  const moved = await (to === undefined ? moveBack(url, stateDir, output) : moveThere(url, stateDir, output)).catch(
    refused,
  );
  tell(moved, to === undefined ? AFTER_COMING_BACK : AFTER_LEAVING, output);
  return EXIT.ok;
}

async function moveThere(url: string, stateDir: string, output: Output): Promise<Moved> {
  const source = openSqliteSource(stateDir, systemClock);
  try {
    const { openPostgresTarget } = await movingPostgres();
    const target = await openPostgresTarget(url, { clock: systemClock, stateDir, tellerOf });
    try {
      return await move({ source, target, who: whoAmI(), report: reporter(output) });
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function moveBack(url: string, stateDir: string, output: Output): Promise<Moved> {
  const target = openSqliteTarget(stateDir, systemClock);
  try {
    const { openPostgresSource } = await movingPostgres();
    const source = await openPostgresSource(url, { clock: systemClock, stateDir });
    try {
      return await move({ source, target, who: whoAmI(), report: reporter(output) });
    } finally {
      await source.close();
    }
  } finally {
    await target.close();
  }
}

const AFTER_LEAVING =
  "What is in the folder stays there, for you to delete one day; no sidecar begins on it any more. The attachments are used where they are.\n" +
  "Now set BRIDGE_STORE to the address, and start the sidecar (systemctl start hotbags-sidecar).";

const AFTER_COMING_BACK =
  "What is in the database stays there, for you to drop one day; no sidecar begins on it any more.\n" +
  "Now remove BRIDGE_STORE, and start the sidecar (systemctl start hotbags-sidecar).";

function tell(moved: Moved, after: string, output: Output): void {
  const { from, to, wasDone, resumed, tables, files, ledger } = moved;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  if (output.json) {
    writeJson(output, { from, to, was_done: wasDone, resumed_at: resumed, rows, files, tables, ledger });
    return;
  }
  if (wasDone) say(output, `The store of ${from} is in ${to}: it had been moved, and compared, before.`);
  else {
    const messages = tables.find(({ table }) => table === "messages")?.rows ?? 0;
    const commands = tables.find(({ table }) => table === "commands")?.rows ?? 0;
    say(
      output,
      `The store of ${from} is in ${to}: ${count(messages, "message")} and ${count(commands, "reply", "replies")}, ` +
        `${count(rows, "row")} in all, each compared; the ledgers are the same.`,
    );
    if (files > 0)
      say(output, `${count(files, "attachment")} of other machines ${files === 1 ? "is" : "are"} in the folder, too.`);
    if (resumed > 0) say(output, `${count(resumed, "row")} had been copied before.`);
  }
  say(output, after);
}

async function undoOne(options: MigrateOptions, output: Output): Promise<number> {
  const { stateDir, back, to, yes, database } = options;
  if (to !== undefined)
    throw new CliError(
      EXIT.usage,
      "--undo is of this machine's folder, or with --back of the database that a store was moved from",
    );
  const name = back === undefined ? stateDir : "the database";
  await confirm(
    `What is in ${name} is to be the store again, as it was before the move. What came since is not in it: messages that were answered since are answered again, ` +
      "and replies that were sent since are sent again. Where a sidecar has worked on the other side since, move back instead (hotbags migrate --help).",
    yes,
    output,
  );
  const undone = await undo(back === undefined ? null : addressOf(back, database), stateDir).catch(refused);
  if (output.json) writeJson(output, { undone });
  say(output, undone ?? `Nothing was moved to ${name}, or from there: there is nothing to undo.`);
  return undone === null ? EXIT.no : EXIT.ok;
}

async function undo(url: string | null, stateDir: string): Promise<string | null> {
  if (url !== null) {
    const to = await (await movingPostgres()).undoPostgresMove(url);
    return to === null ? null : `What is in the database is the store again, and not what was moved to ${to}.`;
  }
  const undone = undoMove(stateDir);
  if (undone === null) return null;
  return undone === "coming"
    ? `What was copied to ${stateDir} is deleted; the store is where it was.`
    : `What is in ${stateDir} is the store again. Let no sidecar begin on the database any more (drop it, if it is of no use).`;
}

/** Throws CliError. A password in an argument would be for all to see who have an account on the machine. */
function addressOf(given: string, database: string | null): string {
  if (given === "") {
    if (database !== null) return database;
    throw new CliError(
      EXIT.usage,
      "no address is given, and BRIDGE_STORE is not set: set it to postgres://user:password@host/database",
    );
  }
  const { error } = databaseUrl.safeParse(given);
  if (error) throw new CliError(EXIT.usage, `the address ${error.issues.map(({ message }) => message).join("; ")}`);
  if (/^[^/]*\/\/[^/@]*:[^/]*@|[?&]password=/.test(given))
    throw new CliError(
      EXIT.usage,
      "everybody on this machine can read a password in a command line: set BRIDGE_STORE to the whole address, and leave it out here; or have the password in PGPASSWORD or ~/.pgpass. This one may have been seen: change it",
    );
  return given;
}

/** Throws a CliError for what was refused with a sentence for the operator. */
function refused(error: unknown): never {
  if (error instanceof MoveRefusedError || error instanceof StoreUnusableError)
    throw new CliError(EXIT.no, error.message);
  throw error;
}
