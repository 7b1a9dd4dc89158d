import type { Logger } from "pino";
import { isDamage, RowUnreadableError, type Store } from "../store/index.ts";
import { RESTORE } from "../store-faults.ts";
import { commandLog } from "./command-log.ts";
import { MAX_OPEN_DOUBTS, type OpenDoubts } from "./open-doubts.ts";

interface Parts {
  store: Store;
  log: Logger;
}

/**
 * At the start: what the last run was sending when it ended is in doubt now, and goes into `open` with what was in
 * doubt before. What can't be read must not keep the sidecar from starting.
 */
export async function recoverDoubts(parts: Parts, open: OpenDoubts): Promise<void> {
  const { store, log } = parts;
  const reason = "the sidecar ended while it was being sent";
  for (const id of list(parts, "sent", () => store.commands.interrupted())) {
    const command = await read(parts, id, "sending", () => store.commands.get(id));
    if (!command) continue;
    await store.commands.settled(id, "in_doubt", { reason, whatsappMessageId: null });
    commandLog(log, command).warn(`it is not known whether the reply was sent: ${reason}`);
  }
  for (const id of list(parts, "in doubt", () => store.commands.inDoubt(MAX_OPEN_DOUBTS)).reverse()) {
    const command = await read(parts, id, "in_doubt", () => store.commands.doubt(id));
    if (command) open.add(command);
  }
}

/** Commands by id; none, where the list can't be read. */
function list({ log }: Parts, what: string, ids: () => number[]): number[] {
  try {
    return ids();
  } catch (error) {
    if (!isDamage(error)) throw error;
    log.error({ err: error, alarm: true }, `which replies were ${what} can't be read. ${RESTORE}`);
    return [];
  }
}

/** A row that can't be read is given up: it must not keep the others from being looked into. */
async function read<T>(
  { store, log }: Parts,
  id: number,
  state: "sending" | "in_doubt",
  row: () => T,
): Promise<T | undefined> {
  try {
    return row();
  } catch (error) {
    if (!(error instanceof RowUnreadableError)) throw error;
    await store.commands.passOver(id, state, "in_doubt");
    log.error({ command: id, alarm: true }, `${error.message}; it may have been sent or not. ${RESTORE}`);
    return undefined;
  }
}
