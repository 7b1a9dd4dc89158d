import { codeOf, reasonOf, shownId } from "@hotbags/shared";
import { type DestinationStream, type Logger, pino } from "pino";
import { LogOutput } from "./log-output.ts";

const STANDARD_OUTPUT = 1;

const GAP = "log lines are missing here: they could not be written";

const id = (value: unknown) => (typeof value === "string" ? shownId(value) : value);

/** Fields that others fill. Each line of any log goes through here, its children's too. */
const serializers = {
  message_id: id,
  command_id: id,
  command_ids: (ids: unknown) => (Array.isArray(ids) ? ids.map(id) : ids),
  whatsapp_message_id: id,
  gateway_process: id,
  account: id,
  transport_session_id: id,
  err: shownError,
};

/** JSON lines, on standard output unless told otherwise. Texts, tokens and whole numbers never get here: callers pass ids and masked addresses only. `format` makes another line of each. */
export function openLog(
  level: string,
  destination?: DestinationStream,
  format?: ((line: string) => string) | null,
): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers,
  };
  const stream = destination ?? new LogOutput(STANDARD_OUTPUT, (gap) => log.error(gap, GAP));
  const log: Logger = pino(options, format ? { write: (line) => stream.write(format(line)) } : stream);
  return log;
}

/** What an error says, but for what it may quote, and where it comes from: not what else hangs on it. */
function shownError(error: unknown): object {
  if (!(error instanceof Error)) return { message: reasonOf(error) };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^ {4}at /.test(line));
  return { type: error.name, message: reasonOf(error), code: codeOf(error) || undefined, stack: frames.join("\n") };
}
