import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, statSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { codeOf, describeIssues, sha256, shownVersion } from "@hotbags/shared";
import { create, Parser, type ReadEntry } from "tar";
import * as z from "zod";

// A backup is a tar archive (POSIX), which any tar can list and unpack:
//   backup.json     what is in it, and when it was made
//   bridge.sqlite   the database, in one file
//   media/<sha256>  the attachments, each named by its hash

const MANIFEST = "backup.json";
export const DATABASE = "bridge.sqlite";
export const MEDIA = "media";

/** Of a manifest: one line of some 100 bytes for each attachment. */
const MAX_MANIFEST_BYTES = 256 * 1024 ** 2;

/** What an archive is, and has. A change that an older release can't read gets another format. */
const manifest = z.object({
  format: z.literal(1, "was made by another release of hotbags: use that one"),
  /** Shown: the archive may be anybody's. */
  version: z.string().transform(shownVersion),
  /** How many migrations its database has had. */
  schema: z.int().positive(),
  made_at: z.iso.datetime(),
  database: z.object({ bytes: z.int().positive(), sha256 }),
  files: z.array(z.object({ sha256, bytes: z.int().nonnegative() })),
  /** Attachments that the database names and that were lost before. */
  lost: z.array(sha256),
});
export type Manifest = z.output<typeof manifest>;

/** The archive is none of ours, or not what it was when it was made. The message says which, for the operator. */
export class ArchiveDamagedError extends Error {
  override readonly name = "ArchiveDamagedError";
}

/** Packs a folder with all that the manifest names into a new file, mode 600, that is on disk when this resolves. */
export async function writeArchive(file: string, folder: string, contents: Manifest): Promise<void> {
  await writeFile(join(folder, MANIFEST), `${JSON.stringify(contents, null, 1)}\n`, { mode: 0o600 });
  const names = [MANIFEST, DATABASE, ...contents.files.map(({ sha256: name }) => `${MEDIA}/${name}`)];
  await pipeline(
    create({ cwd: folder, portable: true, strict: true }, names),
    createWriteStream(file, { flags: "wx", mode: 0o600 }),
  );
  const written = await open(file, "r+");
  try {
    await written.sync();
  } finally {
    await written.close();
  }
}

/** Given each part of an archive but the manifest: its name, and its bytes, all of which are to be read. */
export type Take = (name: string, body: AsyncIterable<Buffer>) => Promise<void>;

/** What says only what the archive says of itself; nothing behind is read. Rejects with ArchiveDamagedError. */
export async function readManifest(file: string): Promise<Manifest> {
  let found: Manifest | undefined;
  await readEntries(file, async (entry) => {
    found = await manifestOf(entry);
    return "enough";
  });
  if (!found) throw new ArchiveDamagedError(`${file} is no backup of hotbags: it is empty`);
  return found;
}

/**
 * Reads an archive from end to end, and compares every byte with what the manifest says. `take`: gets the parts, none of
 * which is to be trusted before this resolves. Rejects with ArchiveDamagedError, and with what `take` rejects with.
 */
export async function readArchive(file: string, take: Take = drain): Promise<Manifest> {
  let contents: Manifest | undefined;
  const missing = new Map<string, { sha256: string; bytes: number }>();
  await readEntries(file, async (entry) => {
    if (!contents) {
      contents = await manifestOf(entry);
      missing.set(DATABASE, contents.database);
      for (const one of contents.files) missing.set(`${MEDIA}/${one.sha256}`, one);
      return "more";
    }
    const name = entry.path;
    const wanted = missing.get(name);
    if (entry.type !== "File" || !wanted)
      throw new ArchiveDamagedError(`${file} has what its list has not: ${shownEntry(name)}`);
    missing.delete(name);
    const hash = createHash("sha256");
    let bytes = 0;
    const body = async function* () {
      for await (const piece of entry as AsyncIterable<Buffer>) {
        hash.update(piece);
        bytes += piece.length;
        // Before it fills a disk whose room was judged by the list.
        if (bytes > wanted.bytes)
          throw new ArchiveDamagedError(`${file} is damaged: ${name} is larger than its list says`);
        yield piece;
      }
    };
    await take(name, body());
    if (bytes !== wanted.bytes || hash.digest("hex") !== wanted.sha256)
      throw new ArchiveDamagedError(`${file} is damaged: ${name} is not what it was when it was packed`);
    return "more";
  });
  if (!contents) throw new ArchiveDamagedError(`${file} is no backup of hotbags: it is empty`);
  const [name] = missing.keys();
  if (name !== undefined) throw new ArchiveDamagedError(`${file} is cut off: ${name} is not in it`);
  return contents;
}

async function manifestOf(entry: ReadEntry): Promise<Manifest> {
  const isOurs = entry.path === MANIFEST && entry.type === "File" && entry.size <= MAX_MANIFEST_BYTES;
  if (!isOurs) throw new ArchiveDamagedError(`it is no backup of hotbags: it does not begin with ${MANIFEST}`);
  const pieces: Buffer[] = [];
  for await (const piece of entry as AsyncIterable<Buffer>) pieces.push(piece);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(pieces).toString());
  } catch {
    throw new ArchiveDamagedError(`it is damaged: its ${MANIFEST} can't be read`);
  }
  const parsed = manifest.safeParse(value);
  if (!parsed.success) throw new ArchiveDamagedError(`its ${MANIFEST} is wrong: ${describeIssues(parsed.error)}`);
  return parsed.data;
}

/** Hands out one entry after the other, until one is enough. Rejects with ArchiveDamagedError, or what `take` rejects with. */
async function readEntries(file: string, take: (entry: ReadEntry) => Promise<"more" | "enough">): Promise<void> {
  mustBeFile(file);
  const done = new AbortController();
  let work = Promise.resolve();
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      const read = async () => {
        if (!done.signal.aborted && (await take(entry)) === "enough") done.abort();
      };
      // What nobody wants must be read all the same, or nothing behind it ever comes.
      work = work
        .then(read)
        .catch((error) => done.abort(error))
        .finally(() => entry.resume());
    },
  });
  const ended = Promise.withResolvers<void>();
  parser.on("end", () => ended.resolve());
  parser.on("error", (error) =>
    ended.reject(new ArchiveDamagedError(`it is damaged, or no tar archive (${error.message})`)),
  );
  ended.promise.catch(() => {});
  try {
    for await (const piece of createReadStream(file)) {
      if (done.signal.aborted) break;
      if (!parser.write(piece as Buffer)) await Promise.race([drained(parser), ended.promise, aborted(done.signal)]);
    }
    if (!done.signal.aborted) {
      parser.end();
      await Promise.race([ended.promise, aborted(done.signal)]);
      await work;
    }
  } catch (error) {
    if (error instanceof ArchiveDamagedError) throw error;
    throw new ArchiveDamagedError(`${file} can't be read (${codeOf(error) || String(error)})`);
  }
  const { reason } = done.signal;
  if (done.signal.aborted && !(reason instanceof DOMException)) throw reason;
}

/** A pipe or a device may never end. Throws ArchiveDamagedError. */
function mustBeFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) throw new ArchiveDamagedError(`there is no file ${file}`);
  const what = found.isDirectory() ? "is a folder" : "is no regular file";
  if (!found.isFile()) throw new ArchiveDamagedError(`${file} ${what}: name the file that \`hotbags backup\` has made`);
}

/** The name of an entry, where it is one as we make them: another may hold what a terminal obeys. */
function shownEntry(name: string): string {
  return /^[\w./-]{1,100}$/.test(name) ? name : "an entry whose name can't be shown";
}

function drained(parser: Parser): Promise<void> {
  return new Promise((resolve) => parser.once("drain", resolve));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

async function drain(_name: string, body: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of body);
}
