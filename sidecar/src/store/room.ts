import type { Files } from "./files.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { DeliveredFile, Media } from "./media.ts";

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
   * it: after a crash in between, the note is of a file that is not here, which is found out when it is asked for. Rejects when the disk refuses.
   */
  async make(bytes: number): Promise<number> {
    let freed = 0;
    let last: DeliveredFile | undefined;
    while (freed < bytes) {
      const page = this.#media.delivered(last);
      last = page.at(-1);
      if (!last) break;
      const given = new Set<string>();
      for (const { sha256 } of page) {
        if (freed >= bytes) break;
        // Looked at and given up without a pause: no message can be written down in between.
        if (given.has(sha256) || this.#media.isAwaited(sha256)) continue;
        freed += this.#files.giveUp(sha256);
        given.add(sha256);
      }
      await this.#commit.run("file-given-up", () => {
        for (const sha256 of given) this.#media.forgetFile(sha256);
      });
    }
    return freed;
  }
}
