import { type Logger, pino } from "pino";

/** JSON lines on standard output. Texts, tokens and whole numbers never get here: callers pass ids and masked addresses only. */
export function openLog(level: string): Logger {
  return pino({
    name: "hotbags",
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
