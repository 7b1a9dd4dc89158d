/**
 * Makes lines for people of the log's JSON, where standard output is a terminal and pino-pretty is installed, as it is
 * for whoever develops; null elsewhere. A service writes JSON.
 */
export async function linesForPeople(): Promise<((line: string) => string) | null> {
  if (!process.stdout.isTTY) return null;
  try {
    const { prettyFactory } = await import("pino-pretty");
    return prettyFactory({ colorize: process.stdout.hasColors(), translateTime: "SYS:HH:MM:ss.l", singleLine: true });
  } catch {
    return null;
  }
}
