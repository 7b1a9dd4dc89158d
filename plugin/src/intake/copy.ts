import { createHash } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, open, realpath, rm } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { codeOf, failpoint, isShortage, OMITTED, type Omitted, reasonOf } from "@hotbags/shared";
import type { MediaFolder } from "../outbox/media-folder.ts";

/** Read, hashed and written at a time; hashing so much keeps the event loop for about a millisecond. */
const CHUNK_BYTES = 512 * 1024;

/** A copy on disk, still under its first name; or why there is none, and the size where it is known. */
export type Copied =
  | { ok: true; sha256: string; sizeBytes: number; part: string }
  | { ok: false; omitted: Omitted; sizeBytes: number | null; detail: string };

export type CopyOptions = {
  /** OpenClaw's folder for files that came in. Nothing else is read: the path comes from outside. */
  inbound: string;
  folder: MediaFolder;
  maxFileBytes: number;
  /** Claims so many bytes of what may be stored; false if they are not to be had. */
  reserve: (bytes: number) => boolean;
  signal: AbortSignal;
};

/**
 * Copies one of OpenClaw's files into our folder, hashing it on the way; its bytes are on disk then. What is wrong
 * with the file or the disk is an answer; rejects if it was aborted, or is to be tried again.
 */
export async function copyFile(source: string, options: CopyOptions): Promise<Copied> {
  let from: FileHandle | undefined;
  try {
    from = await openInside(options.inbound, source);
    const stats = await from.stat();
    return await copyOpened(from, stats, options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (isShortage(error)) throw error;
    return { ok: false, omitted: OMITTED.unreadable, sizeBytes: null, detail: detailOf(error) };
  } finally {
    await from?.close().catch(() => undefined);
  }
}

/** `O_NOFOLLOW`: the file is no symbolic link; `O_NONBLOCK`: a pipe in its place does not hang us. */
async function openInside(inbound: string, source: string): Promise<FileHandle> {
  const allowed = await realpath(inbound);
  const folder = await realpath(dirname(source));
  if (folder !== allowed && !folder.startsWith(allowed + sep)) throw new Error("not in OpenClaw's media folder");
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  return open(join(folder, basename(source)), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

async function copyOpened(from: FileHandle, stats: Stats, options: CopyOptions): Promise<Copied> {
  const { folder, maxFileBytes, reserve, signal } = options;
  const sizeBytes = stats.size;
  const without = (omitted: Omitted, detail: string): Copied => ({ ok: false, omitted, sizeBytes, detail });
  if (!stats.isFile()) return { ok: false, omitted: OMITTED.unreadable, sizeBytes: null, detail: "not a file" };
  if (sizeBytes > maxFileBytes) return without(OMITTED.tooLarge, `${sizeBytes} of ${maxFileBytes} bytes`);
  if (!reserve(sizeBytes)) return without(OMITTED.noRoom, "too many files wait");
  let part: string | undefined;
  let to: FileHandle | undefined;
  try {
    part = folder.newPart();
    failpoint("copy:before-write");
    to = await open(part, "wx", 0o600);
    const sha256 = await pour(from, to, sizeBytes, signal);
    if (sha256 === undefined) {
      await rm(part, { force: true });
      return { ok: false, omitted: OMITTED.unreadable, sizeBytes: null, detail: "changed while it was read" };
    }
    await to.sync();
    failpoint("copy:after-write");
    return { ok: true, sha256, sizeBytes, part };
  } catch (error) {
    if (part !== undefined) await rm(part, { force: true }).catch(() => undefined);
    if (signal.aborted || isShortage(error)) throw error;
    if (error instanceof ReadError) return without(OMITTED.unreadable, detailOf(error.cause));
    return without(OMITTED.noRoom, detailOf(error));
  } finally {
    await to?.close().catch(() => undefined);
  }
}

/** `ENOENT` and the like: a file's name, which stands in Node's message, is the customer's. */
function detailOf(error: unknown): string {
  return codeOf(error) || reasonOf(error);
}

/** The source failed, not our disk. */
class ReadError extends Error {}

/**
 * The SHA-256 of what was copied. Undefined if that was not `sizeBytes` bytes: the file is still being written, or was cut
 * short.
 */
async function pour(from: FileHandle, to: FileHandle, sizeBytes: number, signal: AbortSignal) {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, sizeBytes + 1));
  for (let position = 0; ; ) {
    signal.throwIfAborted();
    const { bytesRead } = await from.read(buffer, 0, buffer.length, position).catch((cause: unknown) => {
      throw new ReadError("unreadable", { cause });
    });
    if (bytesRead === 0) return position === sizeBytes ? hash.digest("hex") : undefined;
    const chunk = buffer.subarray(0, bytesRead);
    position += bytesRead;
    if (position > sizeBytes) return undefined;
    hash.update(chunk);
    await to.writeFile(chunk);
  }
}
