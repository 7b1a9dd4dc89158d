import { execFile } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { codeOf, shownSize } from "@hotbags/shared";
import { type Inspection, RESTORE } from "../store/index.ts";
import { type Finding, fail, ok, skipped, warn } from "./finding.ts";

const CHILD = fileURLToPath(new URL(`../doctor/database.child${extname(import.meta.url)}`, import.meta.url));

/** A database that was never cleaned up, on a slow disk, takes so long, ms. */
const LIMIT_MS = 120_000;

/** Whether every page of the database can be read, and its counts are right. Never rejects. */
export async function inspectDatabase(stateDir: string): Promise<Finding[]> {
  const { promise, resolve } = Promise.withResolvers<Finding[]>();
  execFile(process.execPath, [CHILD, stateDir], { timeout: LIMIT_MS }, (error, stdout) => {
    if (!error) return resolve(read(JSON.parse(stdout)));
    if (error.killed)
      return resolve([warn(`not through with it after ${LIMIT_MS / 1_000} s`, "see the system's log for the disk")]);
    const why = /\((SQLITE_\w+|E[A-Z]+)\)|code: '(\w+)'/.exec(error.message);
    resolve([fail(`it can't be opened (${why?.[1] ?? why?.[2] ?? codeOf(error)})`, "see that this user may read it")]);
  });
  return promise;
}

function read(found: Inspection | null): Finding[] {
  if (found === null) return [skipped("there is none yet: it is made at the first start")];
  const { damage, ledger, version, newest, sizeBytes, unfinished } = found;
  if (unfinished !== null) return [fail(unfinished, "hotbags restore <backup> --force, once more")];
  if (damage.length > 0) {
    const more = damage.length > 1 ? `, and ${damage.length - 1} more` : "";
    return [fail(`it is damaged: ${damage[0]?.replace(/\s+/g, " ")}${more}`, RESTORE)];
  }
  if (version > newest)
    return [
      fail(
        `it was written by a newer release (schema ${version}, this one has ${newest})`,
        "install that release again",
      ),
    ];
  if (ledger.length > 0) return ledger.map((sentence) => fail(`its ledger is wrong: ${sentence}`, RESTORE));
  const size = `${shownSize(sizeBytes)}, every page can be read`;
  return [ok(version < newest ? `${size}; of an earlier release, and brought up to date at the next start` : size)];
}
