import { createWriteStream, mkdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { freeBytesAt, shownSize, syncFolder } from "@hotbags/shared";
import { type Doubted, holdState, type IdleState, makeRestored, SCHEMA } from "../store/index.ts";
import { DATABASE, type Manifest, MEDIA, readArchive, readManifest } from "./archive.ts";
import { BackupRefusedError } from "./backup.ts";
import { BEFORE_RESTORE } from "./kept.ts";

/** In the state folder: what is unpacked, until it is checked. */
const UNPACKED = ".restore";

export interface RestoreParts {
  stateDir: string;
  file: string;
  /** Restores over a state that is there, which is kept. */
  force: boolean;
  /** When the sidecar whose state is lost ran last, wall-clock ms; null: until now. */
  lostUntil: number | null;
  /** Who does it, for the audit. */
  who: string;
  now(): number;
}

export interface Restored {
  manifest: Manifest;
  lostUntil: number;
  doubted: Doubted;
  /** The folder with what was there before; null: nothing was. */
  kept: string | null;
}

/**
 * Puts the state of a backup in the place of what is there, and marks what may have happened since. Nothing is touched
 * before all of the file is unpacked and checked. Rejects with BackupRefusedError, StoreUnusableError or
 * ArchiveDamagedError.
 */
export async function restore({ stateDir, file, force, lostUntil, who, now }: RestoreParts): Promise<Restored> {
  const contents = await readManifest(file);
  const madeAt = Date.parse(contents.made_at);
  mustBeKnown(contents, file);
  if (madeAt > now())
    throw new BackupRefusedError(
      `${file} was made at ${contents.made_at}, which is yet to come: set this machine's clock`,
    );
  if (lostUntil !== null && lostUntil < madeAt)
    throw new BackupRefusedError(
      `${file} was made at ${contents.made_at}, and nothing of before is lost with it: --lost-until is a later time`,
    );
  const state = holdState(stateDir);
  const unpacked = join(stateDir, UNPACKED);
  try {
    if (state.isUsed && !force)
      throw new BackupRefusedError(
        `there is a state in ${stateDir} already. With --force this one takes its place, and that is kept in a folder there`,
      );
    rmSync(unpacked, { recursive: true, force: true });
    await mustHaveRoom(stateDir, contents);
    await unpack(file, unpacked);
    const restoredAt = Math.round(now());
    const times = { madeAt, restoredAt, lostUntil: lostUntil ?? restoredAt };
    const isHere = isListed(contents);
    const doubted = makeRestored(join(unpacked, DATABASE), times, who, isHere);
    return {
      manifest: contents,
      lostUntil: times.lostUntil,
      doubted,
      kept: take(state, stateDir, unpacked, restoredAt),
    };
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
    state.close();
  }
}

/** Checks a backup and changes nothing. Rejects as `restore`. */
export async function checkBackup(file: string): Promise<Manifest> {
  const contents = await readArchive(file);
  mustBeKnown(contents, file);
  return contents;
}

function mustBeKnown({ schema, version }: Manifest, file: string): void {
  if (schema > SCHEMA)
    throw new BackupRefusedError(
      `${file} was made by a newer release (${version}, schema ${schema}; this one knows ${SCHEMA}): install that one, or one after it`,
    );
}

function isListed({ files, lost }: Manifest): (sha256: string) => boolean {
  const known = new Set([...files.map(({ sha256 }) => sha256), ...lost]);
  return (sha256) => known.has(sha256);
}

async function unpack(file: string, folder: string): Promise<void> {
  mkdirSync(join(folder, MEDIA), { recursive: true, mode: 0o700 });
  // Checked against the list by then, so that no name leads out of the folder.
  await readArchive(file, async (name, body) => {
    const path = join(folder, name);
    await pipeline(body, createWriteStream(path, { flags: "wx", mode: 0o600 }));
    const written = await open(path, "r+");
    try {
      await written.sync();
    } finally {
      await written.close();
    }
  });
  syncFolder(join(folder, MEDIA));
  syncFolder(folder);
}

function take(state: IdleState, stateDir: string, unpacked: string, at: number): string | null {
  const kept = join(stateDir, `${BEFORE_RESTORE}${new Date(at).toISOString().replaceAll(":", "-")}`);
  const { isUsed } = state;
  state.swap(unpacked, kept);
  if (isUsed) return kept;
  rmSync(kept, { recursive: true });
  return null;
}

async function mustHaveRoom(stateDir: string, { database, files }: Manifest): Promise<void> {
  const needed = 2 * database.bytes + files.reduce((sum, { bytes }) => sum + bytes, 0);
  const free = await freeBytesAt(stateDir);
  if (free !== null && free < needed)
    throw new BackupRefusedError(
      `the disk of ${stateDir} has ${shownSize(free)} left, and this needs ${shownSize(needed)}: make room`,
    );
}
