import type { Argv } from "yargs";
import { CliError, EXIT } from "../exit-code.ts";

/** Rows of a list where nobody says how many. */
export const FEW = 50;

/** What every command that asks something understands. */
export interface Common {
  json: boolean;
  stateDir?: string | undefined;
  envFile?: string | undefined;
}

export const withEnvFile = <T>(options: Argv<T>) =>
  options.option("env-file", {
    type: "string",
    requiresArg: true,
    describe: "A file of NAME=value lines, for what the environment does not set",
  });

export const common = <T>(options: Argv<T>) =>
  withEnvFile(options)
    .option("json", { type: "boolean", default: false, describe: "The answer as JSON, for scripts" })
    .option("state-dir", {
      type: "string",
      requiresArg: true,
      defaultDescription: "BRIDGE_STATE_DIR, or ~/.local/state/hotbags-bridge",
      describe: "Where the sidecar keeps its state",
    });

/** `states`: those that a row can be in. */
export const list = <T>(options: Argv<T>, states: readonly string[]) =>
  common(options)
    .option("state", {
      type: "string",
      requiresArg: true,
      describe: `Some of ${states.join(", ")}, separated by commas`,
    })
    .option("since", { type: "string", requiresArg: true, describe: "2h, 30m, 7d ago, or a time" })
    .option("chat", { type: "string", requiresArg: true, describe: "A customer's number, or a group" })
    .option("limit", { type: "number", requiresArg: true, default: FEW, describe: "At most so many, the newest first" })
    .check(({ limit }) => limitIsFine(limit));

export const content = <T>(options: Argv<T>) =>
  options.option("content", {
    type: "boolean",
    default: false,
    describe: "With what was said in it. This is noted in the audit",
  });

/** Throws CliError. */
export function limitIsFine(limit: number): true {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new CliError(EXIT.usage, "--limit is a whole number from 1 on");
  return true;
}
