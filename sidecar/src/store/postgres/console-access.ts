import type { Clock } from "../../clock.ts";
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
  SEEN_EVERY_MS,
  SESSION_MS,
  TOO_MANY,
} from "../console.ts";
import { noteInAudit } from "./audit.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import type { ProvenTime } from "./proven-time.ts";
import type { Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

type LinkRow = ConsoleLink & { made_at: number; made: number };
type SessionRow = Omit<ConsoleSession, "expires_at"> & { made: number; seen: number };

interface ConsoleAccessParts {
  db: Queries;
  batches: Batches;
  clock: Clock;
  time: ProvenTime;
}

/**
 * Who may use the console, with the verbs of the embedded store: see there. Links and sessions are the fleet's: they hold
 * at each sidecar, and end at each.
 */
export class ConsoleAccess {
  readonly #parts: ConsoleAccessParts;

  constructor(parts: ConsoleAccessParts) {
    this.#parts = parts;
  }

  /** Links that are still worth something. */
  async links(): Promise<ConsoleLink[]> {
    const now = this.#now();
    const rows = await this.#parts.db.rows<LinkRow>("SELECT * FROM console_links");
    return rows.filter(({ made_at, made }) => !isOver({ wall: made_at, proven: made }, LINK_MS, now));
  }

  /** Those that are not over, the one that was used last first. */
  async sessions(): Promise<ConsoleSession[]> {
    const now = this.#now();
    const rows = await this.#parts.db.rows<SessionRow>("SELECT * FROM console_sessions ORDER BY seen DESC, id DESC");
    const live = rows.filter(
      ({ made_at, made, seen_at, seen }) =>
        !isOver({ wall: made_at, proven: made }, SESSION_MS, now) &&
        !isOver({ wall: seen_at, proven: seen }, IDLE_MS, now),
    );
    return live.map(({ made: _, seen: __, ...row }) => ({ ...row, expires_at: expiryOf(row) }));
  }

  /** `who` has made a link. Resolves with when it is worth nothing any more, wall-clock ms. */
  async link(link: ConsoleLink, who: string): Promise<number> {
    return await this.#parts.batches.run(LINKED, { link, who });
  }

  /**
   * A link becomes a session, in the place of the one that its browser had (`instead`). Resolves with null where the link
   * was used meanwhile, at whatever sidecar: nobody uses it twice.
   */
  async redeem(link: ConsoleLink, sessionSha256: Buffer, instead: number | null): Promise<ConsoleSession | null> {
    return await this.#parts.batches.run(REDEEMED, { link, sessionSha256, instead });
  }

  /** A session is used: from now on it lasts longer. */
  async seen({ id, seen_at }: ConsoleSession): Promise<void> {
    if (Math.abs(this.#now().wall - seen_at) < SEEN_EVERY_MS) return;
    await this.#parts.batches.run(SEEN, { id });
  }

  /** Resolves with whether there was such a session. */
  async end(id: number, who: string): Promise<boolean> {
    return await this.#parts.batches.run(ENDED, { id, who });
  }

  #now(): Instant {
    return { wall: Math.round(this.#parts.clock.now()), proven: this.#parts.time.now() };
  }
}

const LINKED: Verb<{ link: ConsoleLink; who: string }, number> = {
  name: "console-link",
  keyOf: () => "console",
  async write(writing, inputs) {
    for (const { link, who } of inputs) {
      const { token_sha256, user, role } = link;
      await writing.rows(
        `INSERT INTO console_links (token_sha256, "user", role, made_at, made) VALUES ($1, $2, $3, $4, $5)`,
        ...[token_sha256, user, role, writing.now, writing.provenNow],
      );
      await writing.rows(
        `DELETE FROM console_links WHERE token_sha256 IN
           (SELECT token_sha256 FROM console_links ORDER BY made DESC OFFSET ${MAX_LINKS})`,
      );
      await note(writing, who, "make a console link", 0, `done: ${user} may ${role}`);
    }
    return inputs.map(() => writing.now + LINK_MS);
  },
};

interface Redeemed {
  link: ConsoleLink;
  sessionSha256: Buffer;
  instead: number | null;
}

const REDEEMED: Verb<Redeemed, ConsoleSession | null> = {
  name: "console-login",
  keyOf: () => "console",
  async write(writing, inputs) {
    const sessions: (ConsoleSession | null)[] = [];
    for (const input of inputs) sessions.push(await redeem(writing, input));
    return sessions;
  },
};

async function redeem(writing: Writing, { link, sessionSha256, instead }: Redeemed): Promise<ConsoleSession | null> {
  const { token_sha256, user, role } = link;
  const taken = await writing.rows("DELETE FROM console_links WHERE token_sha256 = $1 RETURNING 1", token_sha256);
  if (taken.length === 0) return null;
  if (instead !== null) await writing.rows("DELETE FROM console_sessions WHERE id = $1", instead);
  const { now: wall, provenNow: proven } = writing;
  const [made] = await writing.rows<{ id: number }>(
    `INSERT INTO console_sessions (token_sha256, "user", role, made_at, made, seen_at, seen) VALUES ($1, $2, $3, $4, $5, $4, $5)
     RETURNING id`,
    ...[sessionSha256, user, role, wall, proven],
  );
  const ended = await writing.rows<{ id: number }>(
    `DELETE FROM console_sessions WHERE id IN
       (SELECT id FROM console_sessions ORDER BY seen DESC, id DESC OFFSET ${MAX_SESSIONS}) RETURNING id`,
  );
  for (const { id } of ended) await note(writing, "hotbags", "end a console session", id, TOO_MANY);
  const id = made?.id ?? 0;
  await note(writing, user, "log in to the console", id, `done: may ${role}`);
  const row = { id, token_sha256: sessionSha256, user, role, made_at: wall, seen_at: wall };
  return { ...row, expires_at: expiryOf(row) };
}

const SEEN: Verb<{ id: number }, void> = {
  name: "console-seen",
  keyOf: ({ id }) => `console session ${id}`,
  async write(writing, inputs) {
    await writing.rows(
      "UPDATE console_sessions SET seen_at = $1, seen = $2 WHERE id = ANY ($3)",
      ...[writing.now, writing.provenNow, inputs.map(({ id }) => id)],
    );
    return inputs.map(() => undefined);
  },
};

const ENDED: Verb<{ id: number; who: string }, boolean> = {
  name: "console-end",
  keyOf: ({ id }) => `console session ${id}`,
  async write(writing, inputs) {
    const were: boolean[] = [];
    for (const { id, who } of inputs) {
      const ended = await writing.rows("DELETE FROM console_sessions WHERE id = $1 RETURNING 1", id);
      if (ended.length > 0) await note(writing, who, "end a console session", id, "done");
      were.push(ended.length > 0);
    }
    return were;
  },
};

async function note(writing: Writing, who: string, action: string, subject: number, result: string): Promise<void> {
  await noteInAudit(writing, { who, action, kind: "console", subject, result });
}
