import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Its entry, as its package.json names it. */
const ENTRY = join("dist", "index.js");

const ROOT_UID = 0;
const OTHERS_WRITE = 0o002;

/** What all others seem to be, to a process in a namespace of users. */
const NOBODY_UID = 65_534;

/**
 * Why OpenClaw would not load the plugin from this folder in a gateway of this user: a sentence each, with what to do. It says
 * so in one line of its log ("blocked plugin candidate: suspicious ownership"), and goes on without the plugin: no
 * message reaches Hot Bags then. The rules are OpenClaw's (2026.9.6), for folders of `plugins.load.paths`.
 */
export function pluginFolderProblems(folder: string, gatewayUid: number): string[] {
  return [folder, join(folder, ENTRY)].flatMap((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) return [`${path} is not there: run \`npm run build\`, or set plugins.load.paths right.`];
    const problems: string[] = [];
    if (found.mode & OTHERS_WRITE)
      problems.push(`${path} can be written by every user, so OpenClaw blocks the plugin: chmod -R o-w ${folder}`);
    const isKnown = found.uid !== NOBODY_UID || !isInUserNamespace();
    if (isKnown && found.uid !== gatewayUid && found.uid !== ROOT_UID)
      problems.push(
        `${path} belongs to user ${found.uid}, so OpenClaw blocks the plugin (suspicious ownership): it must belong to root or to the gateway's user (${gatewayUid}): chown -R root ${folder}`,
      );
    return problems;
  });
}

/** As by PrivateUsers= of the sidecar's unit: it sees there whether a file is root's or its own, and no more (user_namespaces(7)). */
function isInUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295$/m.test(readFileSync("/proc/self/uid_map", "utf8"));
  } catch {
    // Not Linux.
    return false;
  }
}
