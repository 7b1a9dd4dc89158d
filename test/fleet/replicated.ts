import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { until } from "../until.ts";
import { layCable } from "./cable.ts";
import { type Databases, through } from "./databases.ts";

const NAME = "replica";
const PATIENCE_MS = 60_000;

/**
 * A streaming replica of the server, and an address that leads to the server until it fails over, as a virtual one or a
 * pooler's does. At the end the server is there again, alone, as it was when it was killed.
 */
export async function replicate({ postgres, server }: Databases, how: "synchronous" | "asynchronous") {
  const parts = new AsyncDisposableStack();
  const address = parts.use(await layCable(postgres.host));
  const stream = parts.use(await layCable(postgres.host));
  const replica = parts.use(await postgres.replicate(NAME, stream.host));
  const sees = (what: string, query: string) =>
    until(what, async () => (await server.rows(query)).length > 0, PATIENCE_MS);
  let isKilled = false;
  parts.defer(async () => {
    if (isKilled) await postgres.start();
    await setNames("''");
  });
  const setNames = async (names: string) => {
    await server.rows(`ALTER SYSTEM SET synchronous_standby_names = ${names}`);
    await server.rows("SELECT pg_reload_conf()");
  };
  if (how === "synchronous") await setNames(NAME);
  const state = how === "synchronous" ? "sync" : "async";
  await sees("the replica streams", `SELECT 1 FROM pg_stat_replication WHERE sync_state = '${state}'`);
  return {
    /** The folder of its socket. */
    way: address.host,
    /** Nothing that is written from now on comes to the replica. */
    streamsNoMore: () => stream.cut(),
    /** A transaction of a sidecar is written at the server, and waits for the replica. */
    waitsForReplica: () =>
      sees("a commit waits", "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"),
    /** `query` has a row there. */
    async replicaHas(url: string, query: string) {
      const connection = new Connection({ url: through(replica.host, url), connections: 1 });
      await until(`there: ${query}`, async () => (await connection.rows(query)).length > 0, PATIENCE_MS);
      await connection.close();
    },
    /** The server is killed, and the replica stands in its place. */
    async failsOver() {
      isKilled = true;
      await postgres.crash();
      stream.break();
      await replica.promote();
      address.move(replica.host);
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
