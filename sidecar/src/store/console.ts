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

export const MAX_SESSIONS = 32;

/** Links that wait, and sessions. Beyond that the oldest link goes, and the session that was used last the longest ago. */
export const MAX_LINKS = 16;

export const TOO_MANY = `there are more than ${MAX_SESSIONS}`;

/** That a session is used is written down so often at most, ms. */
export const SEEN_EVERY_MS = 5 * 60_000;

/** One instant by both clocks: a wall clock that is set back makes nothing last longer, nor does a machine that was off. */
export interface Instant {
  wall: number;
  proven: number;
}

/** Whether this is longer ago. */
export function isOver(since: Instant, ms: number, now: Instant): boolean {
  return now.wall - since.wall >= ms || now.proven - since.proven >= ms;
}

/** When a session ends if nobody uses it, wall-clock ms. */
export function expiryOf({ made_at, seen_at }: Pick<ConsoleSession, "made_at" | "seen_at">): number {
  return Math.min(made_at + SESSION_MS, seen_at + IDLE_MS);
}

/** Who may use the console: one-time links and the sessions that they become. Tokens are not here, only their SHA-256. */
export interface ConsoleStore {
  /** Links that are still worth something. */
  links(): Promise<ConsoleLink[]>;

  /** Those that are not over, the one that was used last first. */
  sessions(): Promise<ConsoleSession[]>;

  /** `who` has made a link. Resolves with when it is worth nothing any more, wall-clock ms. */
  link(link: ConsoleLink, who: string): Promise<number>;

  /**
   * A link becomes a session, in the place of the one that its browser had (`instead`). Resolves with null where the link
   * was used meanwhile: nobody uses it twice.
   */
  redeem(link: ConsoleLink, sessionSha256: Buffer, instead: number | null): Promise<ConsoleSession | null>;

  /** A session is used: from now on it lasts longer. */
  seen(session: ConsoleSession): Promise<void>;

  /** Resolves with whether there was such a session. */
  end(id: number, who: string): Promise<boolean>;
}
