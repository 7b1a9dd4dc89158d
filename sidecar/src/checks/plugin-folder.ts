import { statSync } from "node:fs";
import { join } from "node:path";

/** Its entry, as its package.json names it. */
const ENTRY = join("dist", "index.js");

const ROOT_UID = 0;
const OTHERS_WRITE = 0o002;

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
    if (found.uid !== gatewayUid && found.uid !== ROOT_UID)
      problems.push(
        `${path} belongs to user ${found.uid}, so OpenClaw blocks the plugin (suspicious ownership): it must belong to root or to the gateway's user (${gatewayUid}): chown -R root ${folder}`,
      );
    return problems;
  });
}
