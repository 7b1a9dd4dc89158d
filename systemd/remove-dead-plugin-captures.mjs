// Run by openclaw-gateway.service before the gateway starts, as its user.
//
// Each OpenClaw process copies its plugins to <state folder>/tmp/plugin-captures/<id> (some 160 MB, 6,000 files) and removes that when
// it ends. One that is killed leaves it, and OpenClaw (2026.9.6) itself removes what is dead only after an hour: a gateway that
// crashes every 20 s fills a disk meanwhile, and with it the outbox and OpenClaw's own state.
//
// What is dead is told as OpenClaw tells it: the process that owns a copy holds an exclusive lock on its owner.sqlite for as long as
// it lives, and the kernel takes that back with the process. So nothing of a gateway or an `openclaw` command that runs is touched.
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A younger copy, ms, may be one of which the lock is not taken yet. */
const YOUNG_MS = 60_000;

/** The gateway waits no longer for this, ms; the rest goes at its next start. What customers write in a minute without it is lost. */
const PATIENCE_MS = 10_000;

const stateDir = process.env["OPENCLAW_STATE_DIR"] || join(homedir(), ".openclaw");
const captures = join(stateDir, "tmp", "plugin-captures");
const deadline = performance.now() + PATIENCE_MS;

let removed = 0;
for (const name of namesIn(captures)) {
  if (performance.now() > deadline) break;
  try {
    if (removeIfDead(join(captures, name))) removed += 1;
  } catch (error) {
    process.stderr.write(`hotbags: ${join(captures, name)} can't be removed: ${error.message}\n`);
  }
}
if (removed > 0) process.stdout.write(`hotbags: removed ${removed} plugin copies of gateways that were killed\n`);

function namesIn(folder) {
  try {
    return readdirSync(folder);
  } catch {
    // There is none yet.
    return [];
  }
}

/** OpenClaw's own conditions, but for the hour. */
function removeIfDead(copy) {
  const folder = lstatSync(copy);
  if (!folder.isDirectory() || Math.abs(Date.now() - folder.mtimeMs) < YOUNG_MS) return false;
  const lock = join(copy, "owner.sqlite");
  const owner = lstatSync(lock, { throwIfNoEntry: false });
  if (!owner?.isFile() || owner.nlink !== 1) return false;
  const inside = lstatSync(join(copy, "captures"), { throwIfNoEntry: false });
  if (inside && !inside.isDirectory()) return false;
  const database = new DatabaseSync(lock, { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    rmSync(join(copy, "captures"), { recursive: true, force: true });
  } catch (error) {
    // SQLITE_BUSY: its owner lives.
    if (error.errcode === 5) return false;
    throw error;
  } finally {
    database.close();
  }
  rmSync(copy, { recursive: true, force: true });
  return true;
}
