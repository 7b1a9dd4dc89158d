import type { Files } from "../files.ts";
import type { DeliveredFile } from "../retention.ts";
import { unlessDamaged } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Media } from "./media.ts";

/** Makes room for new files with those of messages that Hot Bags has already, the longest delivered first. */
export class Room {
  readonly #files: Files;
  readonly #media: Media;
  readonly #commit: GroupCommit;

  constructor(files: Files, media: Media, commit: GroupCommit) {
    this.#files = files;
    this.#media = media;
    this.#commit = commit;
  }

  /**
   * Gives up files until so many bytes are free, or there are no more to give up. Resolves with how many became free. A file goes before the note of
   * it: after a crash in between, or while the database can't be written, the note is of a file that is not here. Rejects when a file can't be deleted.
   */
  async make(bytes: number): Promise<number> {
    let freed = 0;
    let last: DeliveredFile | undefined;
    while (freed < bytes) {
      const page: DeliveredFile[] = this.#delivered(last);
      last = page.at(-1);
      if (!last) break;
      const given = new Set<string>();
      for (const { sha256 } of page) {
        if (freed >= bytes) break;
        // Looked at and given up without a pause: no message can be written down in between.
        if (given.has(sha256) || this.#mayBeAwaited(sha256)) continue;
        freed += this.#files.giveUp(sha256);
        given.add(sha256);
      }
      await this.#forget(given);
    }
    return freed;
  }

  /** None, where a page can't be read. */
  #delivered(last: DeliveredFile | undefined): DeliveredFile[] {
    return unlessDamaged(
      () => this.#media.delivered(last),
      () => [],
    );
  }

  /** Where a page can't be read, it may be. */
  #mayBeAwaited(sha256: string): boolean {
    return unlessDamaged(
      () => this.#media.isAwaited(sha256),
      () => true,
    );
  }

  /** What can't be written now is found again: it is first in the order. */
  async #forget(given: ReadonlySet<string>): Promise<void> {
    const forget = () => {
      for (const sha256 of given) this.#media.forgetFile(sha256);
    };
    await this.#commit.run("file-given-up", forget).catch(() => {});
  }
}
