import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { codeOf, freeBytesAt, isAlive, shownSize, syncFolder, VERSION } from "@hotbags/shared";
import { type Progress, storeBytes, takeSnapshot } from "../store/index.ts";
import { DATABASE, type Manifest, MEDIA, readArchive, readManifest, writeArchive } from "./archive.ts";

/** Folders in the state folder in which attachments are kept from being swept; behind it is the process. */
const LINKS = ".backup-";

/** A backup was not made. The message says why, and what to do. */
export class BackupRefusedError extends Error {
  override readonly name = "BackupRefusedError";
}

/** Told of each step, with how much of it is done from 0 to 1. */
export type Report = (step: string, part: number) => void;

export interface BackupParts {
  stateDir: string;
  /** A file that there is not yet, unless `force`. */
  file: string;
  force: boolean;
  now(): number;
  report: Report;
}

/** What was backed up. */
export interface Backup {
  file: string;
  bytes: number;
  manifest: Manifest;
}

/**
 * Backs the state up into one file, mode 600, beside a running sidecar or a stopped one. The file has its name only when
 * it is whole, on disk, and was read back and compared byte by byte. Rejects with BackupRefusedError, StoreUnusableError
 * or ArchiveDamagedError; nothing is left behind then.
 */
export async function backUp({ stateDir, file, force, now, report }: BackupParts): Promise<Backup> {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there && !there.isFile()) throw new BackupRefusedError(`${file} is there, and is no regular file: name another`);
  if (!force && there) throw new BackupRefusedError(`${file} is there already: name another, or say --force`);
  await mustBeNothingElse(stateDir, file);
  await mustHaveRoom(stateDir, dirname(file));
  sweepLinks(stateDir);
  const links = join(stateDir, `${LINKS}${process.pid}`);
  const scratch = `${file}.part-${process.pid}`;
  const remove = () => {
    for (const folder of [scratch, links]) rmSync(folder, { recursive: true, force: true });
  };
  const leave = (signal: NodeJS.Signals) => {
    remove();
    process.kill(process.pid, signal);
  };
  try {
    for (const signal of SIGNALS) process.once(signal, leave);
    mkdirSync(scratch, { mode: 0o700 });
    const archive = join(scratch, "archive");
    const contents = await pack({ stateDir, scratch, links, archive, now, report });
    report("checking", 0);
    await readArchive(archive);
    keep(archive, file, force);
    return { file, bytes: statSync(file).size, manifest: contents };
  } finally {
    for (const signal of SIGNALS) process.off(signal, leave);
    remove();
  }
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

interface PackParts extends Pick<BackupParts, "stateDir" | "now" | "report"> {
  scratch: string;
  links: string;
  archive: string;
}

async function pack({ stateDir, scratch, links, archive, now, report }: PackParts): Promise<Manifest> {
  const database = join(scratch, DATABASE);
  const progress: Progress = (part) => report("copying the database", part);
  const { takenAt, schema, files, lost } = await takeSnapshot({ stateDir, database, media: links, now, progress });
  symlinkSync(resolve(links), join(scratch, MEDIA));
  const contents: Manifest = {
    format: 1,
    version: VERSION,
    schema,
    made_at: new Date(takenAt).toISOString(),
    database: { bytes: statSync(database).size, sha256: await hashOf(database) },
    files,
    lost,
  };
  report("packing", 0);
  await writeArchive(archive, scratch, contents);
  return contents;
}

/** Gives the archive its name. A file that came up there meanwhile is left alone. */
function keep(archive: string, file: string, force: boolean): void {
  try {
    if (force) renameSync(archive, file);
    else linkSync(archive, file);
  } catch (error) {
    if (codeOf(error) === "EEXIST")
      throw new BackupRefusedError(`${file} is there already: name another, or say --force`);
    throw error;
  }
  syncFolder(dirname(file));
}

/** --force replaces an older backup alone: a mistyped path may be that of the database, or of a file with secrets. */
async function mustBeNothingElse(stateDir: string, file: string): Promise<void> {
  if (existsSync(file)) {
    const isBackup = await readManifest(file).then(
      () => true,
      () => false,
    );
    if (!isBackup) throw new BackupRefusedError(`${file} is there, and is no backup: name another, or remove it`);
  } else if (resolve(dirname(file)) === resolve(stateDir) && !file.endsWith(".tar"))
    throw new BackupRefusedError(`${file} would be among the files of the state itself: name one that ends in .tar`);
}

/** The database is there twice for a while. A disk that a backup fills up would stop a sidecar on it. */
async function mustHaveRoom(stateDir: string, folder: string): Promise<void> {
  if (!existsSync(folder)) throw new BackupRefusedError(`there is no folder ${folder}`);
  const { database, media } = storeBytes(stateDir);
  const needed = 2 * database + media;
  const free = await freeBytesAt(folder);
  if (free !== null && free < needed + SPARE_BYTES)
    throw new BackupRefusedError(
      `the disk of ${folder} has ${shownSize(free)} left, and this needs ${shownSize(needed + SPARE_BYTES)}: name a file on another disk, or make room`,
    );
}

/** Is left on the disk in any case: a sidecar may work on it. */
const SPARE_BYTES = 64 * 1024 ** 2;

/** What a backup has left that was killed. */
function sweepLinks(stateDir: string): void {
  for (const name of readdirSync(stateDir)) {
    const pid = Number(name.startsWith(LINKS) ? name.slice(LINKS.length) : Number.NaN);
    if (!Number.isNaN(pid) && !isAlive(pid)) rmSync(join(stateDir, name), { recursive: true, force: true });
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
