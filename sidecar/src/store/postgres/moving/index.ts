export { openPostgresSource, undoPostgresMove } from "./source.ts";
export { openPostgresTarget } from "./target.ts";
