import { type DestinationStream, type Logger, pino } from "pino";
import { LogOutput } from "./log-output.ts";

const STANDARD_OUTPUT = 1;

/** JSON lines, on standard output unless told otherwise. Texts, tokens and whole numbers never get here: callers pass ids and masked addresses only. */
export function openLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const log: Logger = pino(
    options,
    destination ??
      new LogOutput(STANDARD_OUTPUT, (gap) => log.error(gap, "log lines are missing here: they could not be written")),
  );
  return log;
}
