import type { Argv } from "yargs";
import { reloadConfig } from "../config.ts";
import type { Context } from "./context.ts";
import { common } from "./options.ts";

/** `hotbags config …`. */
export const configLines =
  ({ changing }: Context) =>
  (program: Argv) =>
    common(program)
      .command(
        "reload",
        "Have the running sidecar read them again, and go on with them",
        (options) => common(options),
        changing((operator, _args, output) => reloadConfig(operator, output)),
      )
      .example("$0 config --env-file /etc/hotbags/sidecar.env", "Check a file before the sidecar gets it")
      .epilogue("A sidecar that runs is asked, unless --env-file names another file than its own.");
