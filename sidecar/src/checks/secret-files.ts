import { readFileSync, realpathSync, statSync } from "node:fs";
import { sep } from "node:path";
import { codeOf } from "@hotbags/shared";

/** More than any secret has, bytes. A wrong path may lead to something endless. */
export const MAX_SECRET_BYTES = 4_096;

/** Permissions of users that are neither the file's owner nor of its group. systemd's credentials give them none. */
const OTHERS = 0o006;

/**
 * Where Docker puts a container's secrets, with mode 444 unless told otherwise, and nobody in there can change that.
 * Whoever runs in the container may have them.
 */
const CONTAINER_SECRETS = "/run/secrets";

/** What the system said of a file, for the operator. */
export function whyUnread(error: unknown): string {
  const code = codeOf(error);
  return code === "ENOENT" ? "there is no such file" : code || String(error);
}

/** The file won't do. The message says why, after the setting that names it, and nothing of what is in it. */
export class SecretFileError extends Error {
  override readonly name = "SecretFileError";
}

/**
 * Why a file is no place for a secret, with what mends it; null: it is one. What every user of the machine may read is no
 * secret, as ssh has it with its keys. Throws the system's error when the file is not there.
 */
export function whyExposed(path: string, containerSecrets = CONTAINER_SECRETS): string | null {
  const isExposed = statSync(path).mode & OTHERS && !realpathSync(path).startsWith(containerSecrets + sep);
  return isExposed ? `every user of this machine may read or write it: chmod 600 '${path}'` : null;
}

/**
 * Why nothing can be read there as from a file: a folder, or what may never end and keep whoever reads it. Null: it is a
 * file. Throws the system's error when it is not there.
 */
export function whyNoFile(path: string): string | null {
  const found = statSync(path);
  if (found.isDirectory()) return "it is a folder";
  return found.isFile() ? null : "it is no regular file";
}

/**
 * The secret in a file of its own. A line break at its end is `echo`'s or an editor's, and no part of it; all else is for
 * the settings to judge. Throws SecretFileError.
 */
export function readSecretFile(path: string, containerSecrets = CONTAINER_SECRETS): string {
  try {
    const noFile = whyNoFile(path);
    if (noFile) throw new SecretFileError(`${path} can't be used: ${noFile}`);
    if (statSync(path).size > MAX_SECRET_BYTES)
      throw new SecretFileError(`${path} can't be used: it has more than ${MAX_SECRET_BYTES} bytes`);
    const exposed = whyExposed(path, containerSecrets);
    if (exposed) throw new SecretFileError(exposed);
    const secret = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    if (secret === "") throw new SecretFileError(`${path} can't be used: it is empty`);
    return secret;
  } catch (error) {
    if (error instanceof SecretFileError) throw error;
    throw new SecretFileError(`${path} can't be used: ${whyUnread(error)}`);
  }
}
