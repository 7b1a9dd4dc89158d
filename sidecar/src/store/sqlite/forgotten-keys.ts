import { createHmac, randomBytes } from "node:crypto";
import type Database from "better-sqlite3";

const PREFIX = "forgotten:";

/** What stands in the place of an id that was forgotten. */
const FORGOTTEN = /^forgotten:[0-9a-f]{64}/;

/**
 * Stands in for the numbers and ids of customers who asked to be forgotten: keyed hashes, so that a message or a command
 * that comes again is still known. The key is the database's own. Whoever has the whole database can try a number that
 * they guess; nobody can read one out of it.
 */
export class ForgottenKeys {
  readonly #sql: ReturnType<typeof prepare>;
  /** Null: nobody was forgotten yet, so nothing needs to be looked up. */
  #secret: Buffer | null;

  constructor(db: Database.Database) {
    this.#sql = prepare(db);
    this.#secret = this.#sql.read.get()?.secret ?? null;
  }

  /** Null: nobody was forgotten yet. */
  of(id: string): string | null {
    return this.#secret && hash(this.#secret, id);
  }

  /** The same of one that is to be forgotten. Belongs inside a commit. */
  make(id: string): string {
    const secret = this.#sql.read.get()?.secret ?? this.#sql.write.get(randomBytes(32))?.secret;
    if (!secret) throw new Error("the key for what is forgotten could not be written");
    this.#secret = secret;
    return hash(secret, id);
  }

  isForgotten(id: string): boolean {
    return FORGOTTEN.test(id);
  }
}

function hash(secret: Buffer, id: string): string {
  return `${PREFIX}${createHmac("sha256", secret).update(id).digest("hex")}`;
}

function prepare(db: Database.Database) {
  return {
    read: db.prepare<[], { secret: Buffer }>("SELECT secret FROM erasure WHERE id = 1"),
    write: db.prepare<[Buffer], { secret: Buffer }>("INSERT INTO erasure (id, secret) VALUES (1, ?) RETURNING secret"),
  };
}
