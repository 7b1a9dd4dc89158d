import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { codeOf } from "@hotbags/shared";
import type { Check } from "./check.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Permissions of everybody but the owner. */
const OTHERS = 0o077;

/** Names that a sentence shows. */
const SHOWN = 3;

export const stateFolder: Check = { name: "state folder", look: ({ stateDir }) => look(stateDir) };

function look(folder: string): Finding[] {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found) return [beforeTheFirstStart(folder)];
  if (!found.isDirectory()) return [fail(`${folder} is no folder`, "set BRIDGE_STATE_DIR to one")];
  const user = process.getuid?.() ?? found.uid;
  const mayUse = isAllowed(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  if (!mayUse || (found.uid !== user && user !== 0)) {
    const seen = `${folder} belongs to user ${found.uid}, and this is user ${user}`;
    return [fail(seen, `run the sidecar and its commands as its owner, or: chown -R ${user} ${folder}`)];
  }
  const findings: Finding[] = [];
  if (found.mode & OTHERS)
    findings.push(warn(`${folder} can be entered by other users: it has customers' messages`, `chmod 700 ${folder}`));
  // A start with sudo leaves them behind, and then the service can't write.
  const strange = readdirSync(folder).filter((name) => {
    const { uid } = statSync(join(folder, name), { throwIfNoEntry: false }) ?? found;
    return uid !== found.uid;
  });
  if (strange.length > 0) {
    const names = `${strange.slice(0, SHOWN).join(", ")}${strange.length > SHOWN ? ", …" : ""}`;
    const seen = `${names} in ${folder} belong to another user than the folder`;
    findings.push(fail(seen, `a start with sudo leaves that behind: chown -R --reference=${folder} ${folder}`));
  }
  return findings.length > 0 ? findings : [ok(`${folder}, for its owner alone`)];
}

/** It is made by the sidecar, or by systemd. */
function beforeTheFirstStart(folder: string): Finding {
  let parent = dirname(folder);
  while (!existsSync(parent) && dirname(parent) !== parent) parent = dirname(parent);
  if (isAllowed(parent, constants.W_OK | constants.X_OK)) return ok(`${folder} is made at the first start`);
  const advice = `mount its disk, or make it: install -d -m 700 -o <the sidecar's user> ${folder} (the systemd unit makes /var/lib/hotbags itself)`;
  return fail(`${folder} is not there, and this user can't make it`, advice);
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    if (!codeOf(error)) throw error;
    return false;
  }
}
