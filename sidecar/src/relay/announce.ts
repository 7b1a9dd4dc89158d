import type { Logger } from "pino";
import type { RecordedCommand } from "../store/index.ts";

/**
 * Logs what will not be executed of an answer, one line for all commands of one fate: an answer that is given again can
 * have a hundred that were seen before. Those that will be executed are logged when they are sent.
 */
export function announce(recorded: readonly RecordedCommand[], log: Logger): void {
  if (recorded.every(({ outcome }) => outcome === "pending" || outcome === "sending")) return;
  const byReason = (outcome: RecordedCommand["outcome"]) =>
    Map.groupBy(
      recorded.filter((command) => command.outcome === outcome),
      ({ reason }) => reason,
    );
  for (const alike of byReason("repeated").values()) log.info(idsOf(alike), `${countOf(alike)} skipped: seen before`);
  for (const [reason, alike] of byReason("done")) log.info(idsOf(alike), `${countOf(alike)} done: ${reason}`);
  for (const [reason, alike] of byReason("skipped")) log.warn(idsOf(alike), `${countOf(alike)} skipped: ${reason}`);
  for (const [reason, alike] of byReason("in_doubt")) log.warn(idsOf(alike), `${countOf(alike)} in doubt: ${reason}`);
  for (const [reason, alike] of byReason("failed"))
    log.error({ ...idsOf(alike), alarm: true }, `${countOf(alike)} refused: ${reason}`);
}

function idsOf(commands: readonly RecordedCommand[]): object {
  const ids = commands.map(({ commandId }) => commandId);
  return ids.length === 1 ? { command_id: ids[0] } : { command_ids: ids };
}

function countOf({ length }: readonly RecordedCommand[]): string {
  return length === 1 ? "command" : `${length} commands`;
}
