import { readFileSync, realpathSync, statSync } from "node:fs";
import { sep } from "node:path";
import { codeOf } from "@hotbags/shared";

/** Variables that a file can hold instead, named by the variable with `_FILE` behind it. */
const SECRETS = [
  "HOTBAGS_BEARER_TOKEN",
  "HOTBAGS_HMAC_SECRET",
  "HOTBAGS_EXTRA_HEADERS",
  "OPENCLAW_GATEWAY_TOKEN",
  "BRIDGE_TOKEN",
  "ALERT_WEBHOOK_URL",
] as const;

/** More than any of them has, bytes. A wrong path may lead to something endless. */
export const MAX_SECRET_BYTES = 4_096;

/** Permissions of users that are neither the file's owner nor of its group. systemd's credentials give them none. */
const OTHERS = 0o006;

/**
 * Where Docker puts a container's secrets, with mode 444 unless told otherwise, and nobody in there can change that.
 * Whoever runs in the container may have them.
 */
const CONTAINER_SECRETS = "/run/secrets";

export interface SecretsRead {
  /** The environment with what the files hold, and without their names. */
  environment: NodeJS.ProcessEnv;
  /** Why a secret is not to be had from its file: a sentence each, that begins with the variable. */
  problems: string[];
}

/**
 * Reads the secrets that are in files. A line break at the end of one is `echo`'s or an editor's, and no part of it; all else
 * is for the settings to judge. One that every user of the machine may read is none, and refused, as ssh refuses such a
 * key. Never throws, and says nothing of what is in a file.
 */
export function readSecretFiles(given: NodeJS.ProcessEnv, containerSecrets = CONTAINER_SECRETS): SecretsRead {
  const environment = { ...given };
  const problems: string[] = [];
  for (const name of SECRETS) {
    const variable = `${name}_FILE`;
    const path = given[variable];
    if (!path) continue;
    delete environment[variable];
    if (given[name]) {
      problems.push(`${variable}: ${name} is set too; leave one of them out`);
      continue;
    }
    try {
      const { mode, size } = statSync(path);
      if (size > MAX_SECRET_BYTES) throw new Error(`it has more than ${MAX_SECRET_BYTES} bytes`);
      if (mode & OTHERS && !realpathSync(path).startsWith(containerSecrets + sep)) {
        problems.push(`${variable}: every user of this machine may read or write it: chmod 600 '${path}'`);
        continue;
      }
      const secret = readFileSync(path, "utf8").replace(/\r?\n$/, "");
      if (secret === "") throw new Error("it is empty");
      environment[name] = secret;
    } catch (error) {
      const why = codeOf(error) || (error instanceof Error ? error.message : String(error));
      problems.push(`${variable}: ${path} can't be used: ${why}`);
    }
  }
  return { environment, problems };
}
