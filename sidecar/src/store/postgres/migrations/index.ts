import { theStore } from "./0001-the-store.ts";
import { accountsAskedFor } from "./0002-accounts-asked-for.ts";
import { commits } from "./0003-commits.ts";
import { moves } from "./0004-moves.ts";
import { sightings } from "./0005-sightings.ts";
import { touched } from "./0006-touched.ts";
import { keptFiles } from "./0007-kept-files.ts";

/**
 * A text alone only adds, and at once: the releases before, which run on meanwhile, can go on with what it makes. What takes
 * away names the oldest schema whose release can go on without that: all older ones are fenced off, and end by themselves. So
 * what is to be taken away is first left alone by a release, and taken away by the next.
 */
export type Migration = string | { sql: string; oldest: number };

/**
 * In order; the number of a migration is its place, and the table `schema_version` says how many a database has had. Never edit
 * one that was released. None may change `schema_version`, by which an older release knows that it can't go on.
 */
export const migrations: readonly Migration[] = [
  theStore,
  accountsAskedFor,
  commits,
  moves,
  sightings,
  touched,
  keptFiles,
];
