import type { Clock } from "../clock.ts";
import type { MediaLimits } from "./limits.ts";
import type { ServerInspection } from "./server-inspection.ts";
import { takeLock } from "./sqlite/database.ts";
import { openStore, viewStore } from "./sqlite/index.ts";
import { refuseLeftBehind } from "./sqlite/moves.ts";
import type { Store, StoreView } from "./store.ts";

/** Where a sidecar's store is, and whose it is. */
export interface StorePlace {
  stateDir: string;
  /** The address of a PostgreSQL, secret; null: the embedded store in `stateDir`. */
  database: string | null;
  /** Names this sidecar for people. */
  instance: string;
}

export interface OpenOptions {
  clock: Clock;
  limits: MediaLimits;
  /** Told how long each transaction took, ms. */
  onCommit(durationMs: number): void;
}

/**
 * Looks at the store that is set, whoever works on it, and changes nothing. Rejects with StoreUnusableError with what to do.
 */
export async function viewStoreAt(
  { stateDir, database }: Pick<StorePlace, "stateDir" | "database">,
  clock: Clock,
): Promise<StoreView> {
  if (database === null) return viewStore(stateDir, clock);
  const { viewPostgresStore } = await import("./postgres/view.ts");
  return await viewPostgresStore(database, clock);
}

/** Looks at a PostgreSQL that a store is, or is to be, in, and changes nothing. Never rejects. */
export async function inspectServer(url: string, stateDir: string): Promise<ServerInspection> {
  const room = await import("./postgres/inspection.ts");
  return await room.inspectServer(url, stateDir);
}

/**
 * Opens the store that is set. Nothing of the other room is loaded. Rejects with StoreUnusableError with what to do.
 */
export async function openStoreAt(place: StorePlace, { clock, limits, onCommit }: OpenOptions): Promise<Store> {
  const { stateDir, database, instance } = place;
  if (database === null) return openStore(stateDir, clock, limits, onCommit);
  // The attachments are in the folder, and whoever works on them works alone.
  const lock = takeLock(stateDir);
  try {
    refuseLeftBehind(stateDir);
    const { openPostgresStore } = await import("./postgres/index.ts");
    const store = await openPostgresStore({
      ...{ url: database, owner: instance, accounts: [], clock, stateDir, limits, onCommit },
    });
    const { close } = store;
    return Object.assign(store, {
      async close() {
        await close().finally(() => lock.close());
      },
    });
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** The room in PostgreSQL, as a store is moved to it or from it. */
export async function movingPostgres() {
  return await import("./postgres/moving/index.ts");
}

/** The room in PostgreSQL, as its database is said to be restored. */
export async function restoredPostgres() {
  return await import("./postgres/restored.ts");
}
