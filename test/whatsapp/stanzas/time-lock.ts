import { type BinaryNode, getBinaryNodeChild, QueryIds } from "baileys";
import { node, nowSeconds, result, SERVER } from "./reply.ts";

/** WhatsApp lets the number begin no chats for a while ("reach-out time lock"). */
export interface TimeLock {
  /** When it ends; null where WhatsApp does not say. */
  readonly until: Date | null;
}

/** Answers `xmlns=w:mex`: how the account stands; what else is asked for is unknown here. */
export function answerMex(iq: BinaryNode, lock: TimeLock | null): BinaryNode {
  const isStanding = getBinaryNodeChild(iq, "query")?.attrs["query_id"] === QueryIds.REACHOUT_TIMELOCK;
  return result(iq, [
    node("result", {}, json(isStanding ? { xwa2_fetch_account_reachout_timelock: standing(lock) } : {})),
  ]);
}

/** What the server tells each device when the lock comes, or is lifted. */
export function timeLockNotification(id: string, lock: TimeLock | null): BinaryNode {
  const update = node(
    "update",
    { op_name: "NotificationUserReachoutTimelockUpdate" },
    json({ xwa2_notify_account_reachout_timelock: standing(lock) }),
  );
  return node("notification", { id, from: SERVER, type: "mex", t: nowSeconds() }, [update]);
}

function standing(lock: TimeLock | null) {
  const ends = lock?.until ? String(Math.floor(lock.until.getTime() / 1000)) : undefined;
  return { is_active: lock !== null, enforcement_type: lock ? "BIZ_QUALITY" : "DEFAULT", time_enforcement_ends: ends };
}

function json(data: object): Buffer {
  return Buffer.from(JSON.stringify({ data }));
}
