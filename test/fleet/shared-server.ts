import { existsSync } from "node:fs";
import { afterAll, beforeEach, expect } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { attachDatabases, type Made } from "./databases.ts";

// Set up for each file of the project `postgres`: its tests use the server that the whole run has, each a database of its own.

/** The folder of the server's socket; a sentence where there is none. */
const server = process.env["HOTBAGS_TEST_POSTGRES"] ?? "there is no server: its project was not set up";

let made: Made | null = null;
/** Of each folder of a sidecar's state. */
const databases = new Map<string, Promise<string>>();
let isUsed = false;

/** The address of the database that belongs to this folder of a sidecar's state. */
export function databaseOf(dir: string): Promise<string> {
  isUsed = true;
  made ??= attachDatabases(server);
  const here = made;
  for (const [gone, url] of databases)
    if (!existsSync(gone)) {
      databases.delete(gone);
      void url.then(here.giveBack);
    }
  const url = databases.get(dir) ?? here.make();
  databases.set(dir, url);
  return url;
}

/** By the address of a database: a test that asks it again and again needs no new connection each time. */
const views = new Map<string, Connection>();

/** A look into the database that belongs to this folder of a sidecar's state, beside whoever works on it. */
export async function viewOf(dir: string): Promise<Connection> {
  const url = await databaseOf(dir);
  const view = views.get(url) ?? new Connection({ url, connections: 1 });
  views.set(url, view);
  return view;
}

beforeEach((test) => {
  // No PostgreSQL here, and no mirror to have it from: the skip says so. CI has it.
  if (!server.startsWith("/")) test.skip(server);
});
afterAll(async () => {
  await Promise.all([...views.values()].map((view) => view.close()));
  await made?.close();
  // Who is in that project shows what is promised on PostgreSQL.
  if (server.startsWith("/")) expect(isUsed, "its tests have used no database").toBe(true);
});
