import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type ConsoleSession, type ConsoleStore, type Role, SESSION_MS, StoreAwayError } from "../store/index.ts";

/** 256 bits, in base64url. */
const TOKEN = /^[\w-]{43}$/;
const TOKEN_BYTES = 32;

const COOKIE = "hotbags_console";

/** Of a browser that has just logged in. */
export interface Login {
  session: ConsoleSession;
  /** Of the cookie: it is nowhere else. */
  token: string;
}

/** Makes links, turns them into sessions, and knows whose a request is. */
export class Sessions {
  readonly #access: ConsoleStore;
  readonly #listeners = new Set<(id: number) => void>();
  /** Those that there were when it was read last. */
  #known: ConsoleSession[] = [];

  constructor(access: ConsoleStore) {
    this.#access = access;
  }

  /** Told of each session that is ended before its time. */
  onEnd(listener: (id: number) => void): void {
    this.#listeners.add(listener);
  }

  /** Resolves with the link's token, which nobody learns again, and when it is worth nothing any more (wall-clock ms). */
  async link(user: string, role: Role, who: string): Promise<{ token: string; expiresAt: number }> {
    const token = newToken();
    const expiresAt = await this.#access.link({ token_sha256: digest(token), user, role }, who);
    return { token, expiresAt };
  }

  /**
   * The cookie is always a new one, and the session that the browser had is over: whoever has put a cookie of their own
   * there learns nothing by it. Resolves with null where the link is used, too old, or none at all.
   */
  async logIn(linkToken: unknown, before: ConsoleSession | null): Promise<Login | null> {
    const link = matching(await this.#access.links(), linkToken);
    if (!link) return null;
    const token = newToken();
    const session = await this.#access.redeem(link, digest(token), before?.id ?? null);
    if (session !== null) this.#known = [...this.#known.filter(({ id }) => id !== before?.id), session];
    if (before !== null && session !== null) this.#tell(before.id);
    return session && { session, token };
  }

  /**
   * Whose a request is; null: nobody's. Another server at this name can set a cookie of the same name, which the browser
   * sends besides, and may send first: it keeps nobody out. Rejects where that can't be read, and was not before.
   */
  async of({ headers: { cookie = "" } }: IncomingMessage): Promise<ConsoleSession | null> {
    const pairs = cookie.split(";").map((pair) => pair.trim());
    const tokens = pairs.filter((pair) => pair.startsWith(`${COOKIE}=`)).map((pair) => pair.slice(COOKIE.length + 1));
    if (tokens.length === 0) return null;
    const among = (sessions: readonly ConsoleSession[]) =>
      tokens.flatMap((token) => matching(sessions, token) ?? [])[0] ?? null;
    try {
      return among(await this.list());
    } catch (error) {
      // Nobody can say more than what was read last: who was let in may see how it is, and change nothing.
      const session = error instanceof StoreAwayError ? among(this.known()) : null;
      if (session === null) throw error;
      return { ...session, role: "look" };
    }
  }

  /** Those that are not over. */
  async list(): Promise<ConsoleSession[]> {
    this.#known = await this.#access.sessions();
    return this.#known;
  }

  /** As far as is known without asking. */
  known(): ConsoleSession[] {
    return this.#known.filter(({ expires_at }) => expires_at > Date.now());
  }

  /** Somebody uses it. What can't be written down, since the disk is full for example, only ends the session earlier. */
  use(session: ConsoleSession): void {
    void this.#access.seen(session).catch(() => {});
  }

  /** Resolves with whether there was such a session. */
  async end(id: number, who: string): Promise<boolean> {
    const wasThere = await this.#access.end(id, who);
    this.#known = this.#known.filter((one) => one.id !== id);
    this.#tell(id);
    return wasThere;
  }

  #tell(id: number): void {
    for (const listener of this.#listeners) listener(id);
  }
}

/** `Set-Cookie` for a browser that has logged in; `token` null: for one that has logged out. */
export function cookieFor(token: string | null, isHttps: boolean): string {
  const lasts = token === null ? 0 : SESSION_MS / 1_000;
  return `${COOKIE}=${token ?? ""}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${lasts}${isHttps ? "; Secure" : ""}`;
}

/** All are compared, each in constant time: how long it takes tells nothing of any of them. */
function matching<Row extends { token_sha256: Buffer }>(rows: readonly Row[], token: unknown): Row | undefined {
  if (typeof token !== "string" || !TOKEN.test(token)) return undefined;
  const shown = digest(token);
  return rows.filter(({ token_sha256 }) => timingSafeEqual(token_sha256, shown))[0];
}

function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString("base64url");
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
