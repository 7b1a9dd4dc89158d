import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { tellerOf } from "../../sidecar/src/alerts/table.ts";
import type { Clock } from "../../sidecar/src/clock.ts";
import { type Moved, move } from "../../sidecar/src/moving/move.ts";
import {
  type MovingSource,
  type MovingTarget,
  movingPostgres,
  openSqliteSource,
  openSqliteTarget,
  openStore,
  type Store,
} from "../../sidecar/src/store/index.ts";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import type { PostgresStore } from "../../sidecar/src/store/postgres/index.ts";
import type { Databases } from "./databases.ts";
import { type Opened, ofDefault, openPostgresIn, type RoomStore } from "./rooms.ts";

/** A store that can be moved from one room into the other, again and again. It begins as an embedded one. */
export interface MovableRoom extends Opened {
  /** Into the other room, as `hotbags migrate` does; with the store open again behind it. */
  move(): Promise<Moved>;
  readonly isInPostgres: boolean;
}

async function movedOnce(source: MovingSource, target: MovingTarget): Promise<Moved> {
  try {
    return await move({ source, target, who: "anna", report: () => {} });
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

export async function openMovable(databases: Databases, clock: Clock): Promise<MovableRoom> {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-movable-"));
  let url: string | null = null;
  let direct: Connection | null = null;
  let opened: { store: RoomStore; close(): unknown };
  const open = async (by: Clock) => {
    if (url === null) {
      const store: Store = openStore(dir, by);
      await store.reports.turn(true);
      opened = { store: ofDefault(store), close: () => store.close() };
      return;
    }
    const store: PostgresStore = await openPostgresIn(url, dir, by);
    opened = { store: ofDefault(store), close: () => store.close() };
  };
  const ofPostgres = await movingPostgres();
  const moveNow = async () => {
    if (url === null) {
      const there = await databases.make();
      const source = openSqliteSource(dir, clock);
      const target = await ofPostgres.openPostgresTarget(there, { clock, stateDir: dir, tellerOf });
      const moved = await movedOnce(source, target);
      url = there;
      direct = new Connection({ url, connections: 1 });
      return moved;
    }
    const source = await ofPostgres.openPostgresSource(url, { clock, stateDir: dir });
    const target = openSqliteTarget(dir, clock);
    const moved = await movedOnce(source, target);
    await direct?.close();
    databases.giveBack(url);
    [url, direct] = [null, null];
    return moved;
  };
  await open(clock);
  return {
    dir,
    get store() {
      return opened.store;
    },
    get isInPostgres() {
      return url !== null;
    },
    async reopen(by = clock) {
      await opened.close();
      await open(by);
    },
    async move() {
      await opened.close();
      const moved = await moveNow();
      await open(clock);
      return moved;
    },
    async look<R extends object>(statement: string): Promise<R[]> {
      if (direct) return await direct.rows<R>(statement);
      const db = new Database(join(dir, "bridge.sqlite"), { readonly: true });
      try {
        return db.prepare<[], R>(statement).all();
      } finally {
        db.close();
      }
    },
    everything: async () => "",
    async [Symbol.asyncDispose]() {
      await opened.close();
      await direct?.close();
      rmSync(dir, { recursive: true });
    },
  };
}
