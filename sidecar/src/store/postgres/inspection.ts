import type { ServerInspection } from "../server-inspection.ts";
import { Connection } from "./connection.ts";
import { wordsOf } from "./faults.ts";
import { OLDEST_RELEASE } from "./migrate.ts";
import { migrations } from "./migrations/index.ts";
import { LastSeen, whyRewound } from "./rewound.ts";

/** Round trips whose middle one is taken. */
const TRIPS = 5;

/** Looks at the database that a sidecar is to run on, and changes nothing. Never rejects. */
export async function inspectServer(url: string, stateDir: string): Promise<ServerInspection> {
  const db = new Connection({ url, connections: 1 });
  try {
    const [server] = await db.rows<{
      release: number;
      encoding: string;
      is_replica: boolean;
      has_tables: boolean;
      may_make: boolean;
      strange: string | null;
      is_encrypted: boolean | null;
    }>(
      `SELECT current_setting('server_version_num')::int AS release, current_setting('server_encoding') AS encoding,
         pg_is_in_recovery() AS is_replica, to_regclass('schema_version') IS NOT NULL AS has_tables,
         coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_make,
         (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS is_encrypted,
         (SELECT min(c.relname) FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(current_schema())
           AND c.relname = ANY ('{schema_version,leases,messages,commands,payloads}') AND NOT pg_has_role(c.relowner, 'USAGE')) AS strange`,
    );
    if (!server) throw new Error("the server has given no answer");
    const schema =
      server.has_tables && server.strange === null
        ? (
            await db.rows<Schema>(
              "SELECT version, oldest, (SELECT wall_at FROM proven_time) AS wall_at FROM schema_version",
            )
          )[0]
        : undefined;
    return {
      ...{ failure: null, release: Math.floor(server.release / 10_000), isTooOld: server.release < OLDEST_RELEASE },
      ...{ encoding: server.encoding, isReplica: server.is_replica },
      ...{ mayMakeTables: server.may_make, strangeTable: server.strange, isEncrypted: server.is_encrypted },
      ...{ version: schema?.version ?? null, newest: migrations.length },
      isOutdated: (schema?.oldest ?? 0) > migrations.length,
      rewound: whyRewound(schema?.wall_at ?? null, await new LastSeen(stateDir, url).read()),
      roundTripMs: await roundTrip(db),
    };
  } catch (error) {
    return { failure: wordsOf(error) };
  } finally {
    await db.close();
  }
}

interface Schema {
  version: number;
  oldest: number;
  wall_at: number | null;
}

async function roundTrip(db: Connection): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < TRIPS; n++) {
    const begun = performance.now();
    await db.rows("SELECT 1");
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[Math.floor(TRIPS / 2)] ?? 0;
}
