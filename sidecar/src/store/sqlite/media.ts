import { type InboundMessage, OMITTED } from "@hotbags/shared";
import type Database from "better-sqlite3";
import { RowContradictedError } from "../errors.ts";
import type { Files } from "../files.ts";
import { type InlinedFile, type KeptFile, type LaidOut, lacksFile, layOut } from "../lay-out.ts";
import type { DeliveredFile } from "../retention.ts";
import { takeOut } from "../take-out.ts";

/**
 * Stands in the stored request of each message that has a file, and in no customer's text: there its quotes are escaped.
 * A message without needs nothing of the table of files, and must not be lost with it.
 */
export const HAS_FILE = '"sha256":"';

/** Delivered files looked at a time. */
const PAGE = 50;

/** Which files a message has, and what of them goes along to Hot Bags. Writes belong inside a commit. */
export class Media {
  readonly #files: Files;
  #inlineBytes: number;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, files: Files, inlineBytes: number) {
    this.#files = files;
    this.#inlineBytes = inlineBytes;
    this.#sql = prepare(db);
  }

  /** Goes on with another limit, for messages that come from now on. */
  adopt(inlineBytes: number): void {
    this.#inlineBytes = inlineBytes;
  }

  /** See lay-out.ts. */
  lacksFile(message: InboundMessage): boolean {
    return lacksFile(message, this.#files);
  }

  /** See lay-out.ts. */
  layOut(message: InboundMessage): LaidOut | undefined {
    return layOut(message, this.#files, this.#inlineBytes);
  }

  record(seq: number, files: KeptFile[]): void {
    for (const { position, sha256, size_bytes, place } of files)
      this.#sql.insert.run(seq, position, sha256, size_bytes, place);
  }

  /** Hot Bags has the message. */
  settle(seq: number, deliveredAt: number): void {
    this.#sql.settle.run(deliveredAt, seq);
  }

  inlinedOf(seq: number): InlinedFile[] {
    return this.#sql.inlined.all(seq);
  }

  /** These files can't be sent along any more: takes them out of the request, which says so from now on. Returns the new one. */
  lose(seq: number, request: string, lost: readonly InlinedFile[]): string {
    const changed = this.#takeOut(seq, request, lost, OMITTED.lost);
    for (const { position } of lost) mustChange(this.#sql.forgetOne.run(seq, position), seq);
    return changed;
  }

  /** These files are too large for Hot Bags. The same, but they are kept. */
  leaveOut(seq: number, request: string, files: readonly InlinedFile[]): string {
    const changed = this.#takeOut(seq, request, files, OMITTED.tooLargeToInline);
    for (const { position } of files) mustChange(this.#sql.describe.run(seq, position), seq);
    return changed;
  }

  /** The message's files are not kept on its account any more. */
  forget(seq: number): void {
    this.#sql.forget.run(seq);
  }

  /** Some files of delivered messages, the longest delivered first, from behind `last` on. */
  delivered(last?: DeliveredFile): DeliveredFile[] {
    return this.#sql.delivered.all(last ?? { delivered_at: -1, seq: 0, position: 0 });
  }

  /** Whether a message that is not delivered has this file. */
  isAwaited(sha256: string): boolean {
    return this.#sql.awaited.get(sha256) !== undefined;
  }

  /** The file at this place of a message; undefined: there is none, or it is forgotten. */
  fileAt(seq: number, position: number): Pick<KeptFile, "sha256" | "size_bytes"> | undefined {
    return this.#sql.fileAt.get(seq, position);
  }

  /** The file is not kept any more on account of messages that are delivered. */
  forgetFile(sha256: string): void {
    this.#sql.forgetFile.run(sha256);
  }

  /** Whether a message has this file. */
  isNeeded(sha256: string): boolean {
    return this.#sql.needed.get(sha256) !== undefined;
  }

  /** See take-out.ts. */
  #takeOut(seq: number, request: string, files: readonly InlinedFile[], why: string): string {
    const { request: changed, shifts } = takeOut(request, files, why);
    for (const { place, by } of shifts) this.#sql.move.run(by, seq, place);
    return changed;
  }
}

/** A file that stays in the body would be left out again and again, at once. */
function mustChange({ changes }: Database.RunResult, seq: number): void {
  if (changes !== 1) throw new RowContradictedError("a file of message", seq);
}

function prepare(db: Database.Database) {
  return {
    insert: db.prepare<[number, number, string, number, number | null]>(
      "INSERT INTO media (seq, position, sha256, size_bytes, place) VALUES (?, ?, ?, ?, ?)",
    ),
    inlined: db.prepare<[number], InlinedFile>(
      "SELECT position, sha256, size_bytes, place FROM media WHERE seq = ? AND place IS NOT NULL ORDER BY position",
    ),
    forgetOne: db.prepare<[number, number]>("DELETE FROM media WHERE seq = ? AND position = ?"),
    describe: db.prepare<[number, number]>("UPDATE media SET place = NULL WHERE seq = ? AND position = ?"),
    move: db.prepare<[number, number, number]>("UPDATE media SET place = place + ? WHERE seq = ? AND place > ?"),
    forget: db.prepare<[number]>("DELETE FROM media WHERE seq = ?"),
    settle: db.prepare<[number, number]>("UPDATE media SET delivered_at = ? WHERE seq = ?"),
    delivered: db.prepare<[Omit<DeliveredFile, "sha256">], DeliveredFile>(
      `SELECT sha256, delivered_at, seq, position FROM media WHERE delivered_at IS NOT NULL
        AND (delivered_at, seq, position) > (@delivered_at, @seq, @position) ORDER BY delivered_at, seq, position LIMIT ${PAGE}`,
    ),
    fileAt: db.prepare<[number, number], Pick<KeptFile, "sha256" | "size_bytes">>(
      "SELECT sha256, size_bytes FROM media WHERE seq = ? AND position = ?",
    ),
    awaited: db.prepare<[string], { seq: number }>(
      "SELECT seq FROM media WHERE sha256 = ? AND delivered_at IS NULL LIMIT 1",
    ),
    forgetFile: db.prepare<[string]>("DELETE FROM media WHERE sha256 = ? AND delivered_at IS NOT NULL"),
    needed: db.prepare<[string], { seq: number }>("SELECT seq FROM media WHERE sha256 = ? LIMIT 1"),
  };
}
