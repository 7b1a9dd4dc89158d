import { type DestinationStream, type Logger, pino } from "pino";

/** JSON lines, on standard output unless told otherwise. Texts, tokens and whole numbers never get here: callers pass ids and masked addresses only. */
export function openLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination ? pino(options, destination) : pino(options);
}
