import { codeOf } from "@hotbags/shared";
import type { Database } from "./database.ts";
import type { MediaFolder } from "./media-folder.ts";

export type StoredFile = { sha256: string; sizeBytes: number };
/** A whole copy that is on disk, still under its first name. */
export type Copy = StoredFile & { part: string };
/** Account, chat and id of a message. */
type Key = readonly [account: string, chat: string, messageId: string];

/** Which message needs which file in our folder. A file goes when the last message that has it goes. */
export class StoredFiles {
  readonly #db: Database;
  readonly folder: MediaFolder;
  /** Files that no message needs any more, still to be removed. */
  readonly #unneeded = new Set<string>();

  constructor(db: Database, folder: MediaFolder) {
    this.#db = db;
    this.folder = folder;
  }

  /** Within a transaction. Returns how many different files there are. */
  add(key: Key, copies: readonly Copy[]): number {
    this.folder.keep(copies);
    for (const { sha256, sizeBytes } of copies) {
      this.#db.run("INSERT OR IGNORE INTO files (sha256, bytes) VALUES (?, ?)", sha256, sizeBytes);
      this.#db.run(ADD_USE, ...key, sha256);
    }
    return new Set(copies.map(({ sha256 }) => sha256)).size;
  }

  of(key: Key): StoredFile[] {
    const rows = this.#db.all(OF, ...key);
    return rows.map((file) => ({ sha256: String(file["sha256"]), sizeBytes: Number(file["bytes"]) }));
  }

  /** The hashes of the files of the waiting message at this place. */
  at(seq: number): string[] {
    return this.#db.all(AT, seq).map((file) => String(file["sha256"]));
  }

  /** Within a transaction: the message does not need this file any more. */
  end(key: Key, sha256: string): void {
    this.#db.run(END_USE, ...key, sha256);
  }

  /**
   * Removes those of the files that no message needs, under the write lock: another instance may be about to need one.
   * Never throws: the messages are settled, and what is left is tried again with the next files, or at the next start.
   */
  discard(files: readonly string[]): void {
    for (const sha256 of files) this.#unneeded.add(sha256);
    if (this.#unneeded.size === 0) return;
    try {
      this.#db.transaction(() => {
        for (const sha256 of this.#unneeded) this.#discardOne(sha256);
      });
    } catch {
      // Another process's lock, or a closed outbox; see above.
    }
  }

  /**
   * Removes all files that no message needs: what a process left behind that was killed between a file and its message.
   * Takes its time. Rejects if the folder can't be read.
   */
  async sweep(): Promise<void> {
    try {
      for await (const names of this.folder.sweep()) this.discard(names);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
  }

  #discardOne(sha256: string): void {
    try {
      if (this.#db.one("SELECT 1 FROM files WHERE sha256 = ?", sha256) === undefined) this.folder.discard(sha256);
      this.#unneeded.delete(sha256);
    } catch {
      // This one stays; it is not in the way of the others.
    }
  }
}

const ADD_USE = "INSERT OR IGNORE INTO uses (account, chat, message_id, sha256) VALUES (?, ?, ?, ?)";
const END_USE = "DELETE FROM uses WHERE account = ? AND chat = ? AND message_id = ? AND sha256 = ?";
const OF = `SELECT sha256, bytes FROM uses JOIN files USING (sha256)
  WHERE account = ? AND chat = ? AND message_id = ?`;
const AT = `SELECT sha256 FROM uses JOIN waiting USING (account, chat, message_id)
  WHERE waiting.seq = ? AND waiting.files > 0`;
