import type { Clock } from "../../clock.ts";
import { StoreUnusableError } from "../errors.ts";
import type { StoreView } from "../store.ts";
import { AllAlerts } from "./alert-records.ts";
import { Connection } from "./connection.ts";
import { Counters } from "./counters.ts";
import { Failures } from "./failures.ts";
import { FigureReads } from "./figures.ts";
import { TTL_MS } from "./lease.ts";
import { migrations } from "./migrations/index.ts";
import { readsOf } from "./operator.ts";
import { PauseList } from "./pauses.ts";
import { ProvenTime } from "./proven-time.ts";
import { unusable } from "./unusable.ts";

/**
 * Looks at all accounts of a database, and changes nothing, whoever works on it. Rejects with StoreUnusableError with what to
 * do.
 */
export async function viewPostgresStore(url: string, clock: Clock): Promise<StoreView> {
  const db = new Connection({ url });
  try {
    await mustBeOurs(db);
    const time = await ProvenTime.read(db, clock);
    // Those of who leads have no name.
    const rows = await db.rows<{ account_id: string }>("SELECT account_id FROM leases");
    const accounts = () => rows.map(({ account_id }) => account_id);
    return {
      counts: () =>
        db.snapshot(async (tx) => ({
          counters: await new Counters(tx, accounts).read(),
          failures: await new Failures(tx, accounts).all(),
        })),
      alerts: new AllAlerts(db),
      figures: new FigureReads(db, null),
      operator: readsOf({ db, clock, time, ttlMs: TTL_MS }),
      pausedChats: () => new PauseList(db, time, accounts).list(),
      close: () => void db.close(),
    };
  } catch (error) {
    await db.close();
    throw unusable(error);
  }
}

async function mustBeOurs(db: Connection): Promise<void> {
  const [table] = await db.rows<{ is_there: boolean }>("SELECT to_regclass('schema_version') IS NOT NULL AS is_there");
  if (!table?.is_there)
    throw new StoreUnusableError(
      "the database of BRIDGE_STORE is empty: a sidecar makes its tables at its first start (hotbags doctor says what that needs)",
      { passes: true },
    );
  const [row] = await db.rows<{ version: number }>("SELECT version FROM schema_version");
  if (row?.version === migrations.length) return;
  throw new StoreUnusableError(
    `the database of BRIDGE_STORE is of another release (schema ${row?.version ?? 0}, this one has ${migrations.length}): use the hotbags command of that one, or start this sidecar on it.`,
    { passes: false },
  );
}
