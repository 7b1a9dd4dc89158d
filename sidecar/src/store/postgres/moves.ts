import { StoreUnusableError } from "../errors.ts";
import type { Queries } from "./connection.ts";

/** Whether a move keeps all sidecars away: it is not whole yet, not here any more, or just on its way. */
export const IS_MOVING = `EXISTS (SELECT 1 FROM moves WHERE CASE WHEN way = 'in' THEN done_at IS NULL
  ELSE done_at IS NOT NULL OR at_work_until > clock_timestamp() END)`;

/** Throws StoreUnusableError with what to do. */
export async function refuseMoved(db: Queries): Promise<void> {
  const [move] = await db.rows<{ way: "in" | "out"; other: string; done_at: Date | null }>(
    `SELECT way, other, done_at FROM moves WHERE ${IS_MOVING}`,
  );
  if (!move) return;
  const { way, other, done_at } = move;
  const why =
    way === "in"
      ? `the store of ${other} is not all here yet: run \`hotbags migrate --to\` there again, which goes on with it.`
      : done_at !== null
        ? `the store was moved from here to ${other} at ${done_at.toISOString()}: start the sidecar there, without BRIDGE_STORE. What is here is what there was before; \`hotbags migrate --help\` says how to come back.`
        : `the store is being moved from here to ${other}: wait for \`hotbags migrate\` there.`;
  throw new StoreUnusableError(why, { passes: true });
}
