import type pg from "pg";
import { PgBoss } from "pg-boss";

/** pg-boss' own count of attempts must never be what gives a message up: ours is by hours. */
export const NO_LIMIT = 2_147_483_647;

/** pg-boss on these connections, without its timers; asked for it, it looks for what is lost once a second. */
export async function startBoss(pool: pg.Pool): Promise<PgBoss> {
  const boss = new PgBoss({ db: within(pool), supervise: false, schedule: false, monitorIntervalSeconds: 1 });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  return boss;
}

/** For `options.db` of each of its calls: it then runs in this transaction. */
export function within(client: Pick<pg.Pool, "query">) {
  return { executeSql: (text: string, values?: unknown[]) => client.query(text, values) };
}
