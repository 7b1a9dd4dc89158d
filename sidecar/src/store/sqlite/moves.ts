import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { syncFolder } from "@hotbags/shared";
import * as z from "zod";
import { StoreUnusableError } from "../errors.ts";

export const DATABASE_FILE = "bridge.sqlite";

/** What is in the state folder was moved away: it is what was there before, and nobody may go on with it. */
const GONE = "store.moved";

/** A store is on its way here. */
const COMING = "move.unfinished";

const mark = z.object({
  /** Where to, or where from, for people. */
  other: z.string(),
  at: z.string(),
  /** Of one that is on its way: all is here and compared, and has only to be put into its place. */
  isWhole: z.boolean().default(false),
});
export type MoveMark = z.output<typeof mark>;

/** Which way, and what is known of it. One that can't be read counts as well. */
export function readMark(stateDir: string, way: "gone" | "coming"): MoveMark | null {
  const file = fileOf(stateDir, way);
  if (!existsSync(file)) return null;
  try {
    return mark.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return { other: "another store", at: "an unknown time", isWhole: false };
  }
}

/** On disk when it returns. */
export function writeMark(stateDir: string, way: "gone" | "coming", what: MoveMark): void {
  const file = fileOf(stateDir, way);
  writeFileSync(`${file}.new`, `${JSON.stringify(what)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  syncFolder(stateDir);
}

export function removeMark(stateDir: string, way: "gone" | "coming"): void {
  rmSync(fileOf(stateDir, way), { force: true });
  syncFolder(stateDir);
}

function fileOf(stateDir: string, way: "gone" | "coming"): string {
  return join(stateDir, way === "gone" ? GONE : COMING);
}

/** Two that work on one queue would send replies twice. Throws StoreUnusableError with what to do. */
export function refuseMoved(stateDir: string): void {
  const coming = readMark(stateDir, "coming");
  if (coming)
    throw new StoreUnusableError(
      `a move of the store from ${coming.other} to ${stateDir} was cut off: run \`hotbags migrate --back\` again, which goes on with it, or \`hotbags migrate --undo\` to give it up.`,
      { passes: true },
    );
  const gone = readMark(stateDir, "gone");
  if (gone)
    throw new StoreUnusableError(
      `the store of ${stateDir} was moved to ${gone.other} at ${gone.at}: set BRIDGE_STORE to that. What is here is what there was before; \`hotbags migrate --help\` says how to come back.`,
      { passes: true },
    );
}

/**
 * What waits in an embedded store that was not moved would wait for ever, once the sidecar works on another one. Throws
 * StoreUnusableError with what to do.
 */
export function refuseLeftBehind(stateDir: string): void {
  if (readMark(stateDir, "coming")) return refuseMoved(stateDir);
  const left = storeLeftBehind(stateDir);
  if (left) throw new StoreUnusableError(`${left.why}: ${left.advice}.`, { passes: true });
}

/** An embedded store that BRIDGE_STORE leaves behind, and what to do; null: there is none, or it was moved. */
export function storeLeftBehind(stateDir: string): { why: string; advice: string } | null {
  const file = join(stateDir, DATABASE_FILE);
  if (readMark(stateDir, "gone") || !existsSync(file)) return null;
  return {
    why: `BRIDGE_STORE is set, and there is a store in ${stateDir} that was not moved`,
    advice: `run \`hotbags migrate --to\`, so that nothing of it is left behind; or put ${file} somewhere else if nothing of it is needed`,
  };
}
