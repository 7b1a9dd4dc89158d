import { once } from "node:events";
import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { codeOf } from "@hotbags/shared";

/** Bytes that a Unix socket's path may have: `sun_path` of unix(7) without its last zero. */
const MAX_PATH_BYTES = 107;

/** There is something at the path that no sidecar has left there. */
export class NotASocketError extends Error {
  override readonly name = "NotASocketError";
}

/** Why no socket can have this path; null: one can. Linux cuts some paths that are too long, and takes the rest for the name. */
export function whyPathTooLong(path: string): string | null {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_PATH_BYTES) return null;
  return `the path has ${bytes} bytes, and that of a socket may have at most ${MAX_PATH_BYTES}`;
}

/**
 * A socket file outlives a crash and would block the next start; one that still answers belongs to somebody else. Rejects
 * with NotASocketError.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const probe = connect(path);
  try {
    await once(probe, "connect");
  } catch (error) {
    if (codeOf(error) !== "ECONNREFUSED") return;
    // The same code comes for a file of any other kind, which is somebody's own.
    if (!lstatSync(path).isSocket())
      throw new NotASocketError("there is something else at that path already, which is no socket");
    rmSync(path);
  } finally {
    probe.destroy();
  }
}
