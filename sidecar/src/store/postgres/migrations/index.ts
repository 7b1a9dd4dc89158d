import { theStore } from "./0001-the-store.ts";
import { accountsAskedFor } from "./0002-accounts-asked-for.ts";
import { commits } from "./0003-commits.ts";
import { sightings } from "./0005-sightings.ts";
import { touched } from "./0006-touched.ts";

/** In order; the number of a migration is its place, and the table `schema_version` says how many a database has had. Never edit one that was released. */
export const migrations: readonly string[] = [theStore, accountsAskedFor, commits, sightings, touched];
