import type { Look } from "../store/index.ts";
import type { Finding } from "./finding.ts";
import { ofSilence, ofStoreAway } from "./findings-of-machine.ts";
import type { HealthParts } from "./health-parts.ts";

/** What somebody sees who looks at the store: all of it; or that a shared database is away. */
export type StoreSeen = { readonly look: Look; readonly away: null } | { readonly look: null; readonly away: Finding };

/** Who asks how it is wants to hear within this time, ms, that a database on another machine says nothing. */
const PATIENCE_MS = 5_000;

/** Rejects with what else is in the way. */
export async function lookAtStore(parts: Pick<HealthParts, "store" | "instance" | "downMs">): Promise<StoreSeen> {
  try {
    const look = await (parts.instance === null ? parts.store.look() : soon(parts.store.look()));
    return look === null ? { look, away: ofSilence(PATIENCE_MS) } : { look, away: null };
  } catch (error) {
    const away = ofStoreAway(parts, error);
    if (away === null) throw error;
    return { look: null, away };
  }
}

/** Null: it takes longer, and nobody waits for it any more. */
async function soon<T>(asked: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), PATIENCE_MS);
  });
  // What it fails of later is told by whoever looks then.
  asked.catch(() => {});
  return await Promise.race([asked, late]).finally(() => clearTimeout(timer));
}
