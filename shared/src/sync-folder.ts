import { closeSync, fsyncSync, openSync } from "node:fs";

/**
 * Brings the names in a folder to disk: without this a power cut can take back a file's name, however safe its bytes
 * are.
 */
export function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
