import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import type { ConsoleStore } from "../console.ts";
import {
  type ConsoleLink,
  type ConsoleSession,
  expiryOf,
  IDLE_MS,
  type Instant,
  isOver,
  LINK_MS,
  MAX_LINKS,
  MAX_SESSIONS,
  type Role,
  SEEN_EVERY_MS,
  SESSION_MS,
  TOO_MANY,
} from "../console.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Audit } from "./operator/audit.ts";
import type { ProvenTime } from "./proven-time.ts";

interface ConsoleAccessParts {
  db: Database.Database;
  commit: GroupCommit;
  clock: Clock;
  time: ProvenTime;
  audit: Audit;
}

type LinkRow = ConsoleLink & { made_at: number; made: number };
type SessionRow = Omit<ConsoleSession, "expires_at"> & { made: number; seen: number };

/** See ConsoleStore. */
export class ConsoleAccess implements ConsoleStore {
  readonly #parts: ConsoleAccessParts;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(parts: ConsoleAccessParts) {
    this.#parts = parts;
    this.#sql = prepare(parts.db);
  }

  async links(): Promise<ConsoleLink[]> {
    const now = this.#now();
    return this.#sql.links.all().filter(({ made_at, made }) => !isOver({ wall: made_at, proven: made }, LINK_MS, now));
  }

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

  link({ token_sha256, user, role }: ConsoleLink, who: string): Promise<number> {
    return this.#parts.commit.run("console-link", () => {
      const now = this.#now();
      this.#sql.putLink.run(token_sha256, user, role, now.wall, now.proven);
      this.#sql.trimLinks.run();
      this.#note(who, "make a console link", 0, `done: ${user} may ${role}`);
      return now.wall + LINK_MS;
    });
  }

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

  async seen({ id, seen_at }: ConsoleSession): Promise<void> {
    const { wall, proven } = this.#now();
    if (Math.abs(wall - seen_at) < SEEN_EVERY_MS) return;
    await this.#parts.commit.run("console-seen", () => this.#sql.seen.run(wall, proven, id));
  }

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
