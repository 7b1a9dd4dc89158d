import type { Argv } from "yargs";
import { readDatabase } from "../../settings.ts";
import type { Context } from "./context.ts";
import { common } from "./options.ts";

/** `hotbags migrate`. */
export function movingLines(program: Argv, { environment, aside }: Context): Argv {
  return program.command(
    "migrate",
    "Move the store from this machine's folder to PostgreSQL, or back. All sidecars must be stopped",
    (options) =>
      common(options)
        .option("to", {
          type: "string",
          describe:
            "Move to this database, such as postgres://user@host/database; without an address: to BRIDGE_STORE's",
        })
        .option("back", { type: "string", describe: "Move back from there, into the folder of this machine" })
        .option("undo", {
          type: "boolean",
          default: false,
          describe: "Have what is in the folder as the store again, or with --back what is in the database",
        })
        .option("yes", { type: "boolean", default: false, describe: "With --undo, nobody is asked" })
        .example("$0 migrate --to", "To the database of BRIDGE_STORE, which is to be empty")
        .example("$0 migrate --back", "Back from it")
        .epilogue(HELP),
    aside(async (args, output) =>
      (await import("../migrate.ts")).migrate({ ...args, database: readDatabase(environment, args.envFile) }, output),
    ),
  );
}

const HELP = `The password is in BRIDGE_STORE, in PGPASSWORD or in ~/.pgpass, and not in the command line.

What was cut off goes on when the same command is run again; it begins anew where the source has changed. All is compared, row by row, before the move counts; from then on no sidecar begins on what was left. To come back, move back (--back): nothing is lost by that. --undo has what was left as the store again, as it was: only where nothing has worked on the other side since. docs/fleet.md says more.`;
