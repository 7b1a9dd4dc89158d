import { join } from "node:path";
import type { Clock } from "../../sidecar/src/clock.ts";
import { openStore, type Store } from "../../sidecar/src/store/index.ts";

/** The tests of this run keep the state of a sidecar in PostgreSQL: the project `postgres` of vitest.config.ts. */
export const isOnPostgres = process.env["HOTBAGS_TEST_ROOM"] === "PostgreSQL";

/** The store of a sidecar whose state is in this folder: what was in it is there again when it is opened anew. */
export async function openStoreOfTest(dir: string, clock: Clock): Promise<Store> {
  if (!isOnPostgres) return openStore(dir, clock);
  const [{ databaseOf }, { openPostgresIn }] = await Promise.all([
    import("../fleet/shared-server.ts"),
    import("../fleet/rooms.ts"),
  ]);
  return await openPostgresIn(await databaseOf(dir), dir, clock);
}

/** All rows of a table of the store in this folder. */
export async function rowsOf(dir: string, table: string): Promise<Record<string, unknown>[]> {
  if (!isOnPostgres) {
    const { default: Database } = await import("better-sqlite3");
    const tables = new Database(join(dir, "bridge.sqlite"), { readonly: true });
    const found = tables.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table}`).all();
    tables.close();
    return found;
  }
  const { viewOf } = await import("../fleet/shared-server.ts");
  return await (await viewOf(dir)).rows<Record<string, unknown>>(`SELECT * FROM ${table}`);
}
