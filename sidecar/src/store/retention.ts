/** How long each kind is kept, days. */
export interface Keep {
  /** Texts and files, from when their message is delivered on. */
  textsDays: number;
  /**
   * Keys and command ids, by which what comes twice is known. At least as long as the text. OpenClaw forgets a message
   * after 7 days, and hands it in again if WhatsApp does.
   */
  keysDays: number;
  /** Texts and files of dead letters, from when they became ones on. */
  deadLettersDays: number;
}

/** What was forgotten: how many of each. */
export interface Forgotten {
  texts: number;
  keys: number;
  files: number;
  deadLetters: number;
}

/** A file of a delivered message, at its place in the order in which they were delivered. */
export interface DeliveredFile {
  sha256: string;
  delivered_at: number;
  seq: number;
  position: number;
}

/**
 * Forgets what is old: first the texts, and with the last one that has a file the file; later the keys. Only of
 * messages that are delivered and whose commands are all settled, or that are dead letters; what waits or is in doubt
 * stays. A dead letter that is too old is discarded, as an operator would.
 * Ages go by the proven time: a wrong clock forgets nothing, for a key that is forgotten too early is a reply that goes
 * out twice.
 */
export interface RetentionStore {
  /**
   * Forgets in chunks, one a turn, until nothing is old. Returns how many of each kind are gone. Where something can't be
   * forgotten, as for a page that can't be read, all else is; then it rejects with the first reason.
   */
  sweep(keep: Keep): Promise<Forgotten>;
}
