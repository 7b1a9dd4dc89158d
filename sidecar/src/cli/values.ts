import { chatId, e164 } from "@hotbags/shared";
import type { z } from "zod";
import { COMMAND_STATES, MESSAGE_STATES } from "../operator/schemas.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { readDuration, readSince } from "./list-options.ts";

type Check = (value: string, name: string) => unknown;

const time: Check = (value) => readSince(value, Date.now());

const formOf =
  (schema: z.ZodType): Check =>
  (value, name) => {
    const [issue] = schema.safeParse(value).error?.issues ?? [];
    if (issue) throw new CliError(EXIT.usage, `${name}: ${issue.message}`);
  };

/** By the option's name, which means the same to every command. */
const CHECKS: Record<string, Check> = {
  since: time,
  deadSince: time,
  lostUntil: time,
  for: readDuration,
  chat: formOf(chatId),
  from: formOf(e164),
  number: formOf(e164),
};

/** Of which states `--state` can name some, by the command that it is of. */
export const STATES: Record<string, readonly string[]> = { messages: MESSAGE_STATES, commands: COMMAND_STATES };

/**
 * Looks at the values of a command line before anybody is asked, so that a wrong one has the same exit code whether a
 * sidecar runs or not. `given`: as yargs has it. Throws CliError.
 */
export function valuesAreFine({ _: words, ...given }: Record<string, unknown>): void {
  const command = Array.isArray(words) ? String(words[0]) : "";
  const { state } = given;
  const states = STATES[command];
  if (states && typeof state === "string") statesAreFine(state, states);
  for (const [name, check] of Object.entries(CHECKS)) {
    const value = given[name];
    // Those that a command takes without an option's name before them.
    const isArgument = name === "number" || (name === "chat" && command === "chats");
    if (typeof value === "string") check(value, isArgument ? `the ${name}` : `--${name}`);
  }
}

/** `dead,discarded`. Throws CliError. */
function statesAreFine(text: string, states: readonly string[]): void {
  const unknown = text.split(",").find((state) => !states.includes(state));
  if (unknown === undefined) return;
  const why = unknown === "parked" ? PARKED : `--state: must be some of ${states.join(", ")}, separated by commas`;
  throw new CliError(EXIT.usage, why);
}

/** What an operator may look for among messages, and does not find there. */
const PARKED =
  "parked messages are in the plugin's outbox, which only the gateway's user can read: as that user, openclaw hotbags parked list " +
  "(on a machine of install.sh: sudo hotbags-openclaw hotbags parked list)";
