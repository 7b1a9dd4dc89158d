import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { codeOf, isShortage } from "@hotbags/shared";

/** Bytes of a file in memory at once, while it is read. A multiple of 3, so that the base64 of the pieces is that of the whole. */
const PIECE_BYTES = 48 * 1024;

/** A file can't be given any more: it is gone, can't be read, or (`changed`) is not what its name says. */
export class FileLostError extends Error {
  override readonly name = "FileLostError";
  readonly changed: boolean;

  constructor(reason: string, changed = false) {
    super(reason);
    this.changed = changed;
  }
}

/**
 * A file's bytes in pieces whose lengths are multiples of 3, but for the last. A piece is good until the next one is asked for: they share their
 * memory. Throws FileLostError when the file does not have exactly `sizeBytes`; or, in place of the last piece, when its bytes are others than its hash
 * says: whoever passes them on never passes on a whole file that is not the right one.
 */
export async function* readFile(path: string, sizeBytes: number, sha256: string): AsyncGenerator<Buffer> {
  const file = await orLost(() => open(path, "r"));
  try {
    const { size } = await orLost(() => file.stat());
    if (size !== sizeBytes) throw new FileLostError(`it has ${size} bytes instead of ${sizeBytes}`, true);
    const hash = createHash("sha256");
    const memory = Buffer.allocUnsafe(Math.min(PIECE_BYTES, sizeBytes));
    for (let left = sizeBytes; left > 0; ) {
      const piece = memory.subarray(0, left);
      await orLost(() => fill(file, piece));
      hash.update(piece);
      left -= piece.length;
      if (left === 0 && hash.digest("hex") !== sha256) throw new FileLostError("its bytes were changed on disk", true);
      yield piece;
    }
  } finally {
    await file.close();
  }
}

/** Reads on until the piece is full. */
async function fill(file: FileHandle, piece: Buffer): Promise<void> {
  for (let have = 0; have < piece.length; ) {
    const { bytesRead } = await file.read(piece, have);
    if (bytesRead === 0) throw new FileLostError("it ends before its end", true);
    have += bytesRead;
  }
}

async function orLost<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FileLostError || isShortage(error)) throw error;
    throw new FileLostError(codeOf(error) || String(error));
  }
}
