import { readFileSync, statSync } from "node:fs";
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
const MAX_SECRET_BYTES = 4_096;

/** Permission of users that are neither the file's owner nor of its group. */
const OTHERS_READ = 0o004;

export interface SecretsRead {
  /** The environment with what the files hold, and without their names. */
  environment: NodeJS.ProcessEnv;
  /** Why a secret is not to be had from its file: a sentence each, that begins with the variable. */
  problems: string[];
  /** What works, and should be otherwise. */
  warnings: string[];
}

/**
 * Reads the secrets that are in files. A line break at the end of one is `echo`'s or an editor's, and no part of it; all else
 * is for the settings to judge. Never throws, and says nothing of what is in a file.
 */
export function readSecretFiles(given: NodeJS.ProcessEnv): SecretsRead {
  const environment = { ...given };
  const problems: string[] = [];
  const warnings: string[] = [];
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
      const secret = readFileSync(path, "utf8").replace(/\r?\n$/, "");
      if (secret === "") throw new Error("it is empty");
      environment[name] = secret;
      if (mode & OTHERS_READ) warnings.push(`${variable}: every user of this machine can read ${path}: chmod 600 it`);
    } catch (error) {
      const why = codeOf(error) || (error instanceof Error ? error.message : String(error));
      problems.push(`${variable}: ${path} can't be used: ${why}`);
    }
  }
  return { environment, problems, warnings };
}
