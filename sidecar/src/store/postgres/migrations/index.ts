import { theStore } from "./0001-the-store.ts";
import { accountsAskedFor } from "./0002-accounts-asked-for.ts";
import { commits } from "./0003-commits.ts";
import { moves } from "./0004-moves.ts";
import { sightings } from "./0005-sightings.ts";

/** In order; the number of a migration is its place, and the table `schema_version` says how many a database has had. Never edit one that was released. */
export const migrations: readonly string[] = [theStore, accountsAskedFor, commits, moves, sightings];
