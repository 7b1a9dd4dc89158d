import type { Logger } from "pino";
import { isDamage, RESTORE, type SharedStore, StoreUnwritableError } from "../store/index.ts";
import { commandLog } from "./command-log.ts";
import { MAX_OPEN_DOUBTS, type OpenDoubts } from "./open-doubts.ts";

interface Parts {
  store: SharedStore;
  log: Logger;
}

interface Taken {
  /** The one that has become ours; undefined: all that are. */
  account: string | undefined;
  /** Chats in which this run sends. */
  underWay: ReadonlySet<number>;
}

/**
 * At the start, or when an account has become ours: what the last run was sending when it ended, or the account's last
 * owner, is in doubt now, and goes into `open` with what was in doubt before. What can't be read must not keep the sidecar
 * from starting.
 */
export async function recoverDoubts(parts: Parts, open: OpenDoubts, { account, underWay }: Taken): Promise<void> {
  const { store, log } = parts;
  const reason = "the sidecar ended while it was being sent";
  for (const id of await list(parts, "sent", () => store.commands.interrupted(account))) {
    await unlessGivenUp(parts, id, "sending", async () => {
      const command = await store.commands.get(id);
      if (underWay.has(command.chat)) return;
      await store.commands.settled(id, "in_doubt", { reason, whatsappMessageId: null });
      commandLog(log, command).warn(`it is not known whether the reply was sent: ${reason}`);
    });
  }
  await recallDoubts(parts, open, account);
}

/** What is in doubt goes into `open`, where it is not there yet. */
export async function recallDoubts(parts: Parts, open: OpenDoubts, account?: string): Promise<void> {
  const { store } = parts;
  for (const id of (await list(parts, "in doubt", () => store.commands.inDoubt(MAX_OPEN_DOUBTS, account))).reverse()) {
    await unlessGivenUp(parts, id, "in_doubt", async () => {
      const command = await store.commands.doubt(id);
      if (command) open.add(command);
    });
  }
}

/** Commands by id; none, where the list can't be read. */
async function list({ log }: Parts, what: string, ids: () => Promise<number[]>): Promise<number[]> {
  try {
    return await ids();
  } catch (error) {
    if (!isDamage(error)) throw error;
    log.error({ err: error, alarm: true }, `which replies were ${what} can't be read. ${RESTORE}`);
    return [];
  }
}

/** A row that can't be read or written is given up: it must not keep the others from being looked into. */
async function unlessGivenUp(
  { store, log }: Parts,
  id: number,
  state: "sending" | "in_doubt",
  act: () => Promise<void>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (!store.check(error)) throw new StoreUnwritableError(String(error), { cause: error });
    await store.commands.passOver(id, state, "in_doubt");
    const what = `command ${id} can't be read or written; it may have been sent or not. ${RESTORE}`;
    log.error({ command: id, err: error, alarm: true }, what);
  }
}
