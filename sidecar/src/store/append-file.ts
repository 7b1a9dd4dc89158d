import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { failpoint } from "@hotbags/shared";

/** Where a file is put together, and where it goes when it is whole. */
export interface Place {
  part: string;
  whole: string;
}

export interface Rest {
  sha256: string;
  /** Bytes of it that are in `part` already, and of the whole file. */
  had: number;
  length: number;
  /** The time that the whole file gets, wall-clock ms. */
  now: number;
  body: AsyncIterable<Buffer>;
}

export type Appended = { kind: "whole" | "part"; bytes: number } | { kind: "wrong_hash" | "too_long" };

/** Puts the rest of a file behind what is here, piece by piece as it comes, and makes it whole if it is. Rejects when `body` breaks or the disk refuses; what arrived stays. */
export async function appendFile({ part, whole }: Place, { sha256, had, length, now, body }: Rest): Promise<Appended> {
  const hash = createHash("sha256");
  if (had > 0) for await (const piece of createReadStream(part)) hash.update(piece);
  const file = await open(part, "a", 0o600);
  try {
    let size = had;
    for await (const piece of body) {
      if (size + piece.length > length) return { kind: "too_long" };
      await file.appendFile(piece);
      hash.update(piece);
      size += piece.length;
    }
    if (size < length) return { kind: "part", bytes: size };
    if (hash.digest("hex") !== sha256) {
      await unlink(part);
      return { kind: "wrong_hash" };
    }
    await keep(file, { part, whole }, new Date(now));
    return { kind: "whole", bytes: size };
  } finally {
    await file.close();
  }
}

/** Makes a part a whole file, so that a power cut leaves either. */
async function keep(file: FileHandle, { part, whole }: Place, now: Date): Promise<void> {
  await file.utimes(now, now);
  await file.sync();
  failpoint("file:before-commit");
  await rename(part, whole);
  const folder = await open(dirname(whole), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  failpoint("file:after-commit");
}
