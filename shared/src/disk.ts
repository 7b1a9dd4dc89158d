import { statfs } from "node:fs/promises";

/** Below this, bytes, the disk of a queue is said to fill up, unless the operator says otherwise. */
export const DEFAULT_LOW_DISK_BYTES = 1024 ** 3;

/** Bytes that a process without privileges may still write to the disk of this folder; null where nobody can say. */
export async function freeBytesAt(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** For people: `12 KiB`, `512 MiB`, `31.4 GiB`. */
export function shownSize(bytes: number): string {
  if (bytes < 1024 ** 2) return `${Math.ceil(bytes / 1024)} KiB`;
  if (bytes < 1024 ** 3) return `${Math.round(bytes / 1024 ** 2)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}
