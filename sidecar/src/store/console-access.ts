import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Audit } from "./operator/audit.ts";
import type { ProvenTime } from "./proven-time.ts";

/** `look`: sees all, and may have texts shown. `act`: may change something as well. */
export type Role = "look" | "act";

/** One that nobody has used yet. Its token is nowhere, only its hash. */
export interface ConsoleLink {
  token_sha256: Buffer;
  user: string;
  role: Role;
}

export interface ConsoleSession extends ConsoleLink {
  id: number;
  /** Wall-clock ms: when it began, was used last, and ends if nobody uses it. */
  made_at: number;
  seen_at: number;
  expires_at: number;
}

/** A link that nobody uses is worth nothing after so long, ms. */
export const LINK_MS = 10 * 60_000;

/** A session ends when nobody has used it for so long, ms; an open page uses it. */
export const IDLE_MS = 12 * 3_600_000;

/** And after so long in any case, ms. */
export const SESSION_MS = 7 * 24 * 3_600_000;

/** Links that wait, and sessions. Beyond that the oldest link goes, and the session that was used last the longest ago. */
export const MAX_LINKS = 16;
export const MAX_SESSIONS = 32;

/** That a session is used is written down so often at most, ms. */
export const SEEN_EVERY_MS = 5 * 60_000;

interface ConsoleAccessParts {
  db: Database.Database;
  commit: GroupCommit;
  clock: Clock;
  time: ProvenTime;
  audit: Audit;
}

/** One instant by both clocks: a wall clock that is set back makes nothing last longer, nor does a machine that was off. */
export interface Instant {
  wall: number;
  proven: number;
}

type LinkRow = ConsoleLink & { made_at: number; made: number };
type SessionRow = Omit<ConsoleSession, "expires_at"> & { made: number; seen: number };

/** Who may use the console: one-time links and the sessions that they become. Tokens are not here, only their SHA-256. */
export class ConsoleAccess {
  readonly #parts: ConsoleAccessParts;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(parts: ConsoleAccessParts) {
    this.#parts = parts;
    this.#sql = prepare(parts.db);
  }

  /** Links that are still worth something. */
  async links(): Promise<ConsoleLink[]> {
    const now = this.#now();
    return this.#sql.links.all().filter(({ made_at, made }) => !isOver({ wall: made_at, proven: made }, LINK_MS, now));
  }

  /** Those that are not over, the one that was used last first. */
  async sessions(): Promise<ConsoleSession[]> {
    const now = this.#now();
    const live = this.#sql.sessions
      .all()
      .filter(
        ({ made_at, made, seen_at, seen }) =>
          !isOver({ wall: made_at, proven: made }, SESSION_MS, now) &&
          !isOver({ wall: seen_at, proven: seen }, IDLE_MS, now),
      );
    return live.map(({ made: _, seen: __, ...row }) => ({ ...row, expires_at: expiryOf(row) }));
  }

  /** `who` has made a link. Resolves with when it is worth nothing any more, wall-clock ms. */
  link({ token_sha256, user, role }: ConsoleLink, who: string): Promise<number> {
    return this.#parts.commit.run("console-link", () => {
      const now = this.#now();
      this.#sql.putLink.run(token_sha256, user, role, now.wall, now.proven);
      this.#sql.trimLinks.run();
      this.#note(who, "make a console link", 0, `done: ${user} may ${role}`);
      return now.wall + LINK_MS;
    });
  }

  /**
   * A link becomes a session, in the place of the one that its browser had (`instead`). Resolves with null where the link
   * was used meanwhile: nobody uses it twice.
   */
  redeem(link: ConsoleLink, sessionSha256: Buffer, instead: number | null): Promise<ConsoleSession | null> {
    return this.#parts.commit.run("console-login", () => {
      if (this.#sql.takeLink.run(link.token_sha256).changes === 0) return null;
      const { wall, proven } = this.#now();
      const { user, role } = link;
      if (instead !== null) this.#sql.end.run(instead);
      const { lastInsertRowid } = this.#sql.putSession.run(sessionSha256, user, role, wall, proven, wall, proven);
      const id = Number(lastInsertRowid);
      for (const ended of this.#sql.trimSessions.all())
        this.#note("hotbags", "end a console session", ended.id, TOO_MANY);
      this.#note(user, "log in to the console", id, `done: may ${role}`);
      const row = { id, token_sha256: sessionSha256, user, role, made_at: wall, seen_at: wall };
      return { ...row, expires_at: expiryOf(row) };
    });
  }

  /** A session is used: from now on it lasts longer. */
  async seen({ id, seen_at }: ConsoleSession): Promise<void> {
    const { wall, proven } = this.#now();
    if (Math.abs(wall - seen_at) < SEEN_EVERY_MS) return;
    await this.#parts.commit.run("console-seen", () => this.#sql.seen.run(wall, proven, id));
  }

  /** Resolves with whether there was such a session. */
  end(id: number, who: string): Promise<boolean> {
    return this.#parts.commit.run("console-end", () => {
      const wasThere = this.#sql.end.run(id).changes > 0;
      if (wasThere) this.#note(who, "end a console session", id, "done");
      return wasThere;
    });
  }

  #note(who: string, action: string, subject: number, result: string): void {
    this.#parts.audit.note({ who, action, kind: "console", subject, result });
  }

  #now(): Instant {
    return { wall: Math.round(this.#parts.clock.now()), proven: this.#parts.time.now() };
  }
}

export const TOO_MANY = `there are more than ${MAX_SESSIONS}`;

/** Whether this is longer ago. */
export function isOver(since: Instant, ms: number, now: Instant): boolean {
  return now.wall - since.wall >= ms || now.proven - since.proven >= ms;
}

/** When a session ends if nobody uses it, wall-clock ms. */
export function expiryOf({ made_at, seen_at }: Pick<ConsoleSession, "made_at" | "seen_at">): number {
  return Math.min(made_at + SESSION_MS, seen_at + IDLE_MS);
}

function prepare(db: Database.Database) {
  return {
    links: db.prepare<[], LinkRow>("SELECT * FROM console_links"),
    putLink: db.prepare<[Buffer, string, Role, number, number]>("INSERT INTO console_links VALUES (?, ?, ?, ?, ?)"),
    takeLink: db.prepare<[Buffer]>("DELETE FROM console_links WHERE token_sha256 = ?"),
    trimLinks: db.prepare(
      `DELETE FROM console_links WHERE token_sha256 IN
         (SELECT token_sha256 FROM console_links ORDER BY made DESC LIMIT -1 OFFSET ${MAX_LINKS})`,
    ),
    sessions: db.prepare<[], SessionRow>("SELECT * FROM console_sessions ORDER BY seen DESC, id DESC"),
    putSession: db.prepare<[Buffer, string, Role, number, number, number, number]>(
      `INSERT INTO console_sessions (token_sha256, user, role, made_at, made, seen_at, seen) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    trimSessions: db.prepare<[], { id: number }>(
      `DELETE FROM console_sessions WHERE id IN
         (SELECT id FROM console_sessions ORDER BY seen DESC, id DESC LIMIT -1 OFFSET ${MAX_SESSIONS}) RETURNING id`,
    ),
    seen: db.prepare<[number, number, number]>("UPDATE console_sessions SET seen_at = ?, seen = ? WHERE id = ?"),
    end: db.prepare<[number]>("DELETE FROM console_sessions WHERE id = ?"),
  };
}
