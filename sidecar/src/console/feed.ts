import type { ServerResponse } from "node:http";
import { codeOf, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import { every, type Timers } from "../clock.ts";
import { type Listen, shownChange } from "../operator/event-stream.ts";
import type { LiveEvent } from "../operator/schemas.ts";
import { type Change, type ConsoleSession, StoreAwayError } from "../store/index.ts";
import { masked } from "./masked.ts";
import type { Sessions } from "./sessions.ts";

/** Open pages at once. */
const MAX_READERS = 64;

/** Bytes that a page which does not read may leave lying here; what happens then is counted, and not kept. */
const MAX_UNREAD_BYTES = 256 * 1024;

/** How often it is looked whether the state is another, ms. */
export const LOOK_MS = 1_000;

/** A page that hears nothing for longer than this, ms, knows that it is cut off. */
export const HEARTBEAT_MS = 15_000;

interface FeedParts {
  listen: Listen;
  /** What `event: health` tells. */
  health(): Promise<object>;
  sessions: Sessions;
  timers: Timers;
  log: Logger;
}

interface Reader {
  session: ConsoleSession;
  missed: number;
}

/**
 * Tells open pages what happens, as server-sent events: each thing is read and written down once, for however many. While
 * no page is open nothing is listened to, and nobody looks.
 */
export class Feed {
  readonly #parts: FeedParts;
  readonly #readers = new Map<ServerResponse, Reader>();
  readonly #throttle = new LogThrottle();
  #stop: (() => void) | null = null;
  /** What was told last. */
  #health = "";
  #isLooking = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
    parts.sessions.onEnd((id) => this.#endWhere(({ session }) => session.id === id));
  }

  get isFull(): boolean {
    return this.#readers.size >= MAX_READERS;
  }

  /** `done`: called when the page is gone. Throws when the database can't tell. */
  begin(response: ServerResponse, session: ConsoleSession, done: () => void): void {
    // It went while it was looked up whose it is.
    if (response.closed) return done();
    this.#stop ??= this.#start();
    this.#readers.set(response, { session, missed: 0 });
    // A page that is gone has nothing more to be told, nor any error of its own.
    response.on("error", () => {});
    response.once("close", () => {
      done();
      this.#readers.delete(response);
      if (this.#readers.size > 0) return;
      this.#stop?.();
      this.#stop = null;
    });
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.flushHeaders();
    void this.#greet(response);
  }

  /** The sidecar ends. */
  end(): void {
    this.#endWhere(() => true);
  }

  #start(): () => void {
    const unlisten = this.#parts.listen((changes) => this.#tell(changes));
    const { timers } = this.#parts;
    const stopLooking = every(timers, LOOK_MS, () => void this.#look());
    const stopBeating = every(timers, HEARTBEAT_MS, () => void this.#beat());
    return () => {
      stopLooking();
      stopBeating();
      unlisten();
    };
  }

  #tell(changes: Change[]): void {
    const text = changes.map((change) => eventOf("change", JSON.stringify(masked(shownChange(change))))).join("");
    for (const [response, reader] of this.#readers) {
      if (response.writableLength > MAX_UNREAD_BYTES) {
        reader.missed += changes.length;
        continue;
      }
      if (reader.missed > 0) {
        const missed: LiveEvent = { at: new Date().toISOString(), kind: "missed", count: reader.missed };
        response.write(eventOf("change", JSON.stringify(missed)));
        reader.missed = 0;
      }
      response.write(text);
    }
  }

  async #greet(response: ServerResponse): Promise<void> {
    const health = await this.#readHealth();
    if (health === null || response.writableEnded) return;
    response.write(eventOf("health", health));
    if (this.#readers.size === 1) this.#health = health;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const health = await this.#readHealth();
    this.#isLooking = false;
    if (health === null || health === this.#health) return;
    this.#health = health;
    const text = eventOf("health", health);
    // The next look tells whoever does not read now.
    for (const response of this.#readers.keys()) if (response.writableLength <= MAX_UNREAD_BYTES) response.write(text);
  }

  /** Null: it can't be told. */
  async #readHealth(): Promise<string | null> {
    try {
      return JSON.stringify(await this.#parts.health());
    } catch (error) {
      return this.#sayUntold(error);
    }
  }

  #sayUntold(error: unknown): null {
    const { log } = this.#parts;
    this.#throttle.log(() => log.warn({ err: error }, "the console can't be told how it is"), codeOf(error));
    return null;
  }

  /** Pages whose session is over are ended; the others are told that they are connected, and that uses their session. */
  async #beat(): Promise<void> {
    const before = new Set(this.#readers.values());
    const sessions = await this.#sessions();
    if (sessions === null) return;
    const live = new Map(sessions.map((session) => [session.id, session]));
    // Of one that has come meanwhile the session may be newer than the list.
    this.#endWhere((reader) => before.has(reader) && !live.has(reader.session.id));
    for (const response of this.#readers.keys()) response.write(": still here\n\n");
    for (const id of new Set([...this.#readers.values()].map(({ session }) => session.id))) {
      const session = live.get(id);
      if (session) this.#parts.sessions.use(session);
    }
  }

  /** Null: nobody can tell. While a shared database is away pages stay: they tell of it. */
  async #sessions(): Promise<ConsoleSession[] | null> {
    const { sessions } = this.#parts;
    return await sessions.list().catch((error: unknown) => {
      return error instanceof StoreAwayError ? sessions.known() : this.#sayUntold(error);
    });
  }

  #endWhere(isOver: (reader: Reader) => boolean): void {
    for (const [response, reader] of this.#readers) if (isOver(reader)) response.end();
  }
}

/** `data`: on one line, as JSON is. */
function eventOf(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`;
}
