import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../sidecar/src/clock.ts";
import { viewStoreAt } from "../../sidecar/src/store/open.ts";
import { Connection, type Queries } from "../../sidecar/src/store/postgres/connection.ts";
import { FLEET } from "../../sidecar/src/store/postgres/lease.ts";
import { Contender } from "../bench/contender.ts";
import { FarEnds } from "../bench/far-ends.ts";
import { checkLedger, flow, singles } from "../bench/flow.ts";
import { until } from "../until.ts";
import type { Cost } from "./cost.ts";
import { type Databases, startDatabases, through } from "./databases.ts";
import { startPooler } from "./pooler.ts";
import { countConnections, MEASURED, type Measured, share, type Work, workOf } from "./server-work.ts";

// What the bridge itself costs a PostgreSQL: the built sidecars, each with a plugin's link, a gateway and a Hot Bags that answer
// at once, in processes of their own. That each message and each reply came once and in order is checked, and so is the ledger.

/** How long a connection may keep to itself what it has done, ms: see `workOf`. */
const TOLD_WITHIN_MS = 10_500;
const PATIENCE_MS = 120_000;
const HOUR_MS = 3_600_000;
const SETTLED_MS = 65_000;

/** How messages come: one after the other, so many of as many chats at a time, or as fast as they are taken. */
export type Load = "one at a time" | "32 at a time" | "all at once";
const AT_A_TIME = 32;
const CHATS = 200;
/** Of how many messages each sidecar can be given a multiple. */
const STEPS: Record<Load, number> = { "one at a time": 1, "32 at a time": AT_A_TIME, "all at once": CHATS };

export interface ProductRun {
  room: "postgres" | "sqlite";
  processes: number;
  load: Load;
  /** Of each process. */
  accounts?: number;
  /** Through a transaction pooler with so many connections to the server. */
  pooled?: number;
}

/** Sidecars at work on one store, each with accounts of its own. */
class Fleet implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #members: { sidecar: Contender; ends: FarEnds; accounts: string[] }[] = [];
  readonly #databases: Databases;
  readonly #url: string;
  /** Messages that were handed in. */
  #handedIn = 0;

  private constructor(databases: Databases, url: string) {
    this.#databases = databases;
    this.#url = url;
  }

  /** Resolves when each sidecar owns its accounts. */
  static async start({ room, processes, accounts = 1, pooled }: ProductRun, settings = MEASURED): Promise<Fleet> {
    const databases = await startDatabases(settings);
    if (typeof databases === "string") throw new Error(databases);
    const url = await databases.make();
    const fleet = new Fleet(databases, url);
    fleet.#stack.use(databases);
    try {
      const pooler = pooled ? await startPooler(databases.host, pooled) : undefined;
      if (typeof pooler === "string") throw new Error(pooler);
      if (pooler) fleet.#stack.use(pooler);
      const store = pooler ? through(pooler.host, url) : url;
      for (let n = 0; n < processes; n += 1) {
        const names = room === "sqlite" ? ["default"] : Array.from({ length: accounts }, (_, a) => `shop-${n}-${a}`);
        const ends = await FarEnds.start(names);
        fleet.#stack.defer(() => ends.close());
        const env: Record<string, string> = room === "sqlite" ? {} : { BRIDGE_STORE: store, BRIDGE_INSTANCE: `m${n}` };
        const sidecar = await Contender.begin("sidecar", ends, { env });
        fleet.#stack.defer(() => sidecar.close());
        fleet.#members.push({ sidecar, ends, accounts: names });
      }
      if (room === "postgres") await fleet.#areOwned(processes * accounts);
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The server, looked at from another one of its databases. */
  get measured(): Measured {
    const { server, pid } = this.#databases;
    return { db: server, pid, database: new URL(this.#url).pathname.slice(1) };
  }

  get cpuMs(): number {
    return this.#members.reduce((sum, { sidecar }) => sum + sidecar.cpuMs(), 0);
  }

  get rssMb(): number {
    return Math.max(...this.#members.map(({ sidecar }) => sidecar.rssMb("now")));
  }

  /** About so many messages in all, checked. Resolves with how many a second there were, to the last reply, and with their number. */
  async pass(load: Load, about: number): Promise<{ perSecond: number; messages: number }> {
    const each = Math.ceil(about / this.#members.length / STEPS[load]) * STEPS[load];
    const messages = each * this.#members.length;
    this.#handedIn += messages;
    const rates = await Promise.all(
      this.#members.map(async ({ sidecar, ends, accounts }) => {
        if (load === "all at once") return (await flow(sidecar, ends, CHATS, each / CHATS, accounts)).messagesPerSecond;
        const begun = performance.now();
        if (load === "one at a time") await singles(sidecar, ends, each, accounts);
        else for (let n = 0; n < each; n += AT_A_TIME) await flow(sidecar, ends, AT_A_TIME, 1, accounts);
        return each / ((performance.now() - begun) / 1_000);
      }),
    );
    return { perSecond: Math.min(...rates) * rates.length, messages };
  }

  /** Ends the sidecars in good order, and looks whether their books are right. */
  async stop(): Promise<void> {
    await Promise.all(this.#members.map(({ sidecar }) => sidecar.stop()));
    const [first] = this.#members;
    const isEmbedded = first?.accounts[0] === "default";
    const place = { stateDir: first?.sidecar.folder ?? "", database: isEmbedded ? null : this.#url };
    await checkLedger(await viewStoreAt(place, systemClock), this.#handedIn);
  }

  /** Looks into the store, with a connection of its own. */
  async look<T>(at: (db: Queries) => Promise<T>): Promise<T> {
    const db = new Connection({ url: this.#url, connections: 1 });
    return await at(db).finally(() => db.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #areOwned(count: number): Promise<void> {
    await this.look(async (db) => {
      const owned = "SELECT count(*) AS n FROM leases WHERE account_id <> $1 AND owner IS NOT NULL AND is_beside";
      const areOwned = async () => (await db.rows<{ n: number }>(owned, FLEET))[0]?.n === count;
      await until("each sidecar owns its accounts", areOwned, PATIENCE_MS, 100);
    });
  }
}

/** Runs about so many messages in all, on a server of its own. `warmUp`: before that, so many. `isExact`: see `workOf`. */
export async function measureProduct(run: ProductRun, about: number, warmUp: number, isExact: boolean): Promise<Cost> {
  await using fleet = await Fleet.start(run);
  // A process that has just started compiles more than it runs.
  await fleet.pass("all at once", warmUp);
  if (isExact) await sleep(TOLD_WITHIN_MS);
  await fleet.measured.db.rows("CHECKPOINT");
  const [before, cpuMs] = [await workOf(fleet.measured), fleet.cpuMs];
  const { perSecond, messages } = await fleet.pass(run.load, about);
  const clientCpuUs = ((fleet.cpuMs - cpuMs) * 1_000) / messages;
  const connections = await countConnections(fleet.measured);
  // Who ends tells what it has done.
  await fleet.stop();
  return { ...share(before, await workOf(fleet.measured), messages), clientCpuUs, perSecond, connections };
}

/** What a sidecar with so many accounts does in an hour in which nothing comes. */
export interface Idle extends Work {
  cpuUs: number;
  rssMb: number;
}

/** Measured for so long, ms: some is done once a minute. */
export async function measureIdle(accounts: number, ms: number): Promise<Idle> {
  // What it does with the server's own tables, since they were made just now, no sidecar costs.
  const settings = [...MEASURED, "autovacuum=off"];
  await using fleet = await Fleet.start({ room: "postgres", processes: 1, load: "all at once", accounts }, settings);
  // What it does at its start is over, and the whole pages are logged that the first change of each writes.
  await sleep(Math.min(ms, SETTLED_MS));
  const [before, cpuMs] = [await workOf(fleet.measured), fleet.cpuMs];
  await sleep(ms);
  const cpuUs = (fleet.cpuMs - cpuMs) * 1_000;
  const rssMb = fleet.rssMb;
  // A connection tells late what it has done, at the end as at the beginning.
  const work = share(before, await workOf(fleet.measured), ms / HOUR_MS);
  return { ...work, cpuUs: (cpuUs * HOUR_MS) / ms, rssMb };
}

/** Bytes that a delivered message with its reply takes, with indexes. */
export interface Bytes {
  /** Of its request and its answer. */
  text: number;
  /** Of its row, its chat's and its reply's. */
  key: number;
  /** Both where nothing of what was changed is left: the least that it can be. */
  packed: { text: number; key: number };
}

export async function measureBytes(about: number): Promise<Bytes> {
  await using fleet = await Fleet.start({ room: "postgres", processes: 1, load: "all at once" });
  const { messages } = await fleet.pass("all at once", about);
  await fleet.stop();
  return await fleet.look(async (db) => {
    const written = await sizes(db, messages);
    await db.rows("VACUUM FULL");
    return { ...written, packed: await sizes(db, messages) };
  });
}

async function sizes(db: Queries, messages: number): Promise<{ text: number; key: number }> {
  const [row] = await db.rows<{ text: number; key: number }>(
    `SELECT pg_total_relation_size('payloads') + pg_total_relation_size('responses') AS text,
       pg_total_relation_size('messages') + pg_total_relation_size('chats') + pg_total_relation_size('commands') AS key`,
  );
  return { text: (row?.text ?? 0) / messages, key: (row?.key ?? 0) / messages };
}
