import { type Clock, pause, type Timers } from "../clock.ts";
import { type ReplyFile, sourceOf } from "../commands/index.ts";
import { type NextCommand, RowUnreadableError } from "../store/index.ts";
import { FetchError, fetchFile, type Reach } from "./fetch-file.ts";
import { storedFile } from "./stored-file.ts";

/** Files at once, in memory until they are sent: each is up to 16 MB, and three times that on its way to the gateway. */
const SLOTS = 2;

/** A file that nobody has sent for so long, ms, makes room: its chat was paused meanwhile, or WhatsApp has gone. */
const IDLE_MS = 60_000;

/** Waits, ms, before a file that could not be had for a passing reason is asked for again. Then it is given up. */
const WAITS_MS = [2_000, 10_000];

/** How far it is with the file of a reply. `waits`: it is being fetched, or has no slot yet. Null: there is none. */
export type Fetched =
  | { state: "waits" }
  | { state: "here"; file: ReplyFile | null }
  | { state: "failed"; reason: string };

interface Slot {
  chat: number;
  fetched: Fetched;
  since: number;
  abort: AbortController;
}

interface FileFetchesParts {
  clock: Clock;
  timers?: Timers | undefined;
  reach?: Reach | undefined;
  /** Told of a chat whose file is here, or can't be had; null: of all, a slot is free. */
  onChange(chat: number | null): void;
}

/**
 * Fetches files that replies name by a URL, before anything of the reply is handed to the gateway: what fails here is
 * no doubt. A few at once, so that no slow server keeps others' replies waiting.
 */
export class FileFetches {
  readonly #parts: FileFetchesParts;
  /** By command. */
  readonly #slots = new Map<number, Slot>();

  constructor(parts: FileFetchesParts) {
    this.#parts = parts;
  }

  /** What goes with a reply. To be asked when nothing else holds it; again when told of its chat. */
  of(command: NextCommand): Fetched | RowUnreadableError {
    try {
      const url = sourceOf(command);
      return url === null ? { state: "here", file: storedFile(command.file) } : this.#fetched(command, url);
    } catch (error) {
      if (error instanceof RowUnreadableError) return error;
      throw error;
    }
  }

  #fetched(command: NextCommand, url: URL): Fetched {
    const now = this.#parts.clock.uptimeMs();
    const slot = this.#slots.get(command.id);
    if (slot) {
      slot.since = now;
      if (slot.fetched.state === "failed") this.over(command.id);
      return slot.fetched;
    }
    if (this.#slots.size >= SLOTS) this.#makeRoom(now);
    if (this.#slots.size < SLOTS) this.#begin(command, url, now);
    return { state: "waits" };
  }

  /** The reply was sent, or is not going to be. */
  over(id: number): void {
    const slot = this.#slots.get(id);
    if (!slot) return;
    slot.abort.abort();
    this.#slots.delete(id);
    this.#parts.onChange(null);
  }

  stop(): void {
    for (const { abort } of this.#slots.values()) abort.abort();
    this.#slots.clear();
  }

  #begin({ id, chat }: NextCommand, url: URL, now: number): void {
    const slot: Slot = { chat, fetched: { state: "waits" }, since: now, abort: new AbortController() };
    this.#slots.set(id, slot);
    void this.#fetch(url, slot.abort.signal).then((fetched) => {
      if (this.#slots.get(id) !== slot) return;
      slot.fetched = fetched;
      slot.since = this.#parts.clock.uptimeMs();
      this.#parts.onChange(chat);
    });
  }

  async #fetch(url: URL, signal: AbortSignal): Promise<Fetched> {
    for (let tries = 0; ; tries += 1) {
      try {
        return { state: "here", file: await fetchFile(url, signal, this.#parts.reach) };
      } catch (error) {
        const waitMs = WAITS_MS[tries];
        if (!(error instanceof FetchError)) throw error;
        if (!error.isPassing || waitMs === undefined || signal.aborted)
          return { state: "failed", reason: `its file could not be fetched: ${error.message}` };
        await pause(waitMs, signal, this.#parts.timers);
      }
    }
  }

  #makeRoom(now: number): void {
    for (const [id, { fetched, since }] of this.#slots)
      if (fetched.state !== "waits" && now - since > IDLE_MS) this.#slots.delete(id);
  }
}
