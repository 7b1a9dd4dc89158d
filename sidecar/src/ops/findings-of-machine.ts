import type { LastBackup } from "../checks/last-backup.ts";
import { type Look, RESTORE } from "../store/index.ts";
import { apart, bad, condition, conditionOf, type Finding, good } from "./finding.ts";
import type { HealthParts } from "./health-parts.ts";
import { ofDamage } from "./sentences.ts";

/** No clock that is right shows an earlier time than this: 2026-01-01. A machine without a battery starts in 1970. */
const EARLIEST_MS = Date.UTC(2026, 0);

const HOUR_MS = 3_600_000;

/** One each night, so that two were missed: the failure of a single one is told by its unit. */
const FRESH_HOURS = 50;

/** The store, its disk and the clock. */
export function readFindings(parts: HealthParts, look: Look): Finding[] {
  return [ofStore(parts), ofLedger(look), ...readFindingsBeside(parts)];
}

/** What is not in the store. */
export function readFindingsBeside({ disk, clock, lastBackup, alerting }: HealthParts): Finding[] {
  const now = clock.now();
  return [ofDisk(disk), ofBackup(lastBackup(), now), ofClock(now), ...alerting().map(ofChannel)];
}

/** The store alone, of which can be said how it is while nothing can be read there. */
function ofStore({ store, instance, downMs }: Pick<HealthParts, "store" | "instance" | "downMs">): Finding {
  const { outage, damage, leads } = store;
  const damaged = (scope: "all" | "rows") => {
    if (damage === null) return [];
    const { failure } = damage;
    return [condition("database", ofDamage(damage, scope), { subject: scope, details: { scope, failure } })];
  };
  if (outage) {
    const { failure, since, isDamage, isAway } = outage;
    const meanwhile = isAway ? `. ${MEANWHILE}` : "";
    const problem = `the database can't be written since ${new Date(since).toISOString()}: ${failure}${meanwhile}`;
    if (isDamage) return bad("store", "damaged", `${problem}. ${RESTORE}`, damaged("all"));
    const what = `The database can't be written (${failure}): until it can, no message is taken in, delivered or answered.`;
    const todo =
      instance === null ? "Look at the disk of BRIDGE_STATE_DIR: is it full, read-only or gone?" : LOOK_THERE;
    // Who leads as it begins tells of it for all. If that one is gone as well nobody can say so: then each does.
    const afterMs = leads ? OUTAGE_MS : Math.max(OUTAGE_MS, downMs);
    const alerts = [condition("store", `${what} ${todo}`, { details: { failure }, afterMs })];
    return bad("store", "unwritable", problem, [...alerts, ...damaged("rows")]);
  }
  if (damage === null) return good("store", "ok");
  const since = new Date(damage.since).toISOString();
  const problem = `the database is damaged; met since ${since}, at last: ${damage.failure}. What needs that page waits, or is given up. ${RESTORE}`;
  return bad("store", "damaged", problem, damaged("rows"));
}

/**
 * What can be said where `error` came of reading the state: that a shared database is away, which can't be read then either.
 * Null: it is something else, or the embedded store.
 */
export function ofStoreAway(parts: Pick<HealthParts, "store" | "instance" | "downMs">, error: unknown): Finding | null {
  const { store, instance } = parts;
  return instance !== null && (store.outage !== null || !store.check(error)) ? ofStore(parts) : null;
}

/** The same where nothing has come from a shared database for so long, ms, and it may be away. */
export function ofSilence(ms: number): Finding {
  const problem = `the database has not answered for ${ms / 1_000} s. ${LOOK_THERE} ${MEANWHILE}`;
  const text = `The database has not answered for ${ms / 1_000} s. ${LOOK_THERE}`;
  return bad("store", "silent", problem, [condition("store", text, { afterMs: OUTAGE_MS })]);
}

const LOOK_THERE =
  "See whether the PostgreSQL of BRIDGE_STORE runs, can be reached from this machine, and has room on its disk.";
const MEANWHILE =
  "Meanwhile nothing is acknowledged: what customers write waits in the plugin's outbox, nothing is lost, and all goes on by itself when it is back";

/** What passes within this time, ms, is a lock or a busy disk. */
const OUTAGE_MS = 10_000;

function ofLedger(look: Look): Finding {
  const parts = apart(look).map((part) => {
    const { accepted, delivered, pending, dead, discarded } = part.counters;
    return { part, missing: accepted - delivered - pending - dead - discarded };
  });
  const wrong = parts.filter(({ missing }) => missing !== 0);
  if (wrong.length === 0) return good("ledger", 0);
  const problem = "the ledger does not add up: accepted is not delivered + pending + dead + discarded";
  const todo = "Keep a copy of the state folder, and report it: this is a defect of the bridge, or of the disk.";
  const alerts = wrong.map(({ part, missing }) => conditionOf(part, "ledger", `${problem} (${missing}). ${todo}`, {}));
  return bad(
    "ledger",
    wrong.reduce((sum, { missing }) => sum + missing, 0),
    problem,
    alerts,
  );
}

function ofDisk({ status: { folder, freeBytes, lowBytes, problem } }: HealthParts["disk"]): Finding {
  if (problem === null) return good("disk_free_bytes", freeBytes);
  const details = { folder, free_bytes: freeBytes, low_disk_bytes: lowBytes };
  return bad("disk_free_bytes", freeBytes, problem, [condition("disk", problem, { details })]);
}

/**
 * The value: hours since the last whole one; null where none was ever made by itself, which is the operator's decision.
 * Messages flow all the same: it makes nothing unhealthy.
 */
function ofBackup(last: LastBackup | null, now: number): Finding {
  const name = "last_backup_hours";
  if (last === null) return good(name, null);
  const { made_at, problem } = last;
  const hours = made_at === null ? null : Math.max(0, Math.floor((now - Date.parse(made_at)) / HOUR_MS));
  if (hours !== null && hours <= FRESH_HOURS) return good(name, hours);
  const age = made_at === null ? "There is no whole backup yet" : `The last whole backup is of ${made_at}`;
  const why = problem === null ? "" : ` The last try: ${problem}.`;
  const text = `${age}: what is lost with this disk is all since then.${why} See journalctl -u hotbags-backup, mend it, and systemctl start hotbags-backup. Where backups are made otherwise: systemctl disable --now hotbags-backup.timer, and remove last-backup.json from the state folder.`;
  return { ...good(name, hours), alerts: [condition("backup", text, { details: { made_at } })] };
}

function ofClock(now: number): Finding {
  const at = new Date(now).toISOString();
  if (now >= EARLIEST_MS) return good("clock", at);
  const problem = `this machine's clock says ${at}, which is wrong: set it, or let a time server do so (timedatectl set-ntp true)`;
  return bad("clock", at, problem, [condition("clock", problem)]);
}

function ofChannel({ name, waiting, problem }: ReturnType<HealthParts["alerting"]>[number]): Finding {
  const check = `alerts_by_${name.toLowerCase()}`;
  if (problem === null) return good(check, waiting);
  const text = `alerts are not delivered by ${name} (${waiting} wait): ${problem}`;
  return bad(check, waiting, text, [condition("alert_channel", text, { subject: name, details: { by: name } })]);
}
