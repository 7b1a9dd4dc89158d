import type { ServerResponse } from "node:http";
import { maskAddress } from "@hotbags/shared";
import type { Change } from "../store/index.ts";
import type { EventFilter, LiveEvent } from "./schemas.ts";

/** Bytes that a reader who does not read may leave lying here; what happens then is counted, and not kept. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** Readers at once. */
const MAX_STREAMS = 16;

/** Calls back with what happens, from now on. Returns how to stop that. */
export type Listen = (listener: (changes: Change[]) => void) => () => void;

/** Tells whoever asks what happens, one JSON object a line, until they go or the sidecar ends. */
export class EventStreams {
  readonly #listen: Listen;
  readonly #open = new Set<ServerResponse>();

  constructor(listen: Listen) {
    this.#listen = listen;
  }

  /** There are so many that no more is taken. */
  get isFull(): boolean {
    return this.#open.size >= MAX_STREAMS;
  }

  /** Throws when the database can't tell. */
  begin(response: ServerResponse, { chat }: EventFilter): void {
    let missed = 0;
    const send = (event: LiveEvent) => response.write(`${JSON.stringify(event)}\n`);
    const tell = (changes: Change[]) => {
      for (const change of changes) {
        if (chat !== undefined && change.chat_id !== chat) continue;
        if (response.writableLength > MAX_UNREAD_BYTES) missed += 1;
        else if (missed > 0) {
          send({ at: new Date().toISOString(), kind: "missed", count: missed });
          missed = 0;
          send(shownChange(change));
        } else send(shownChange(change));
      }
    };
    const unlisten = this.#listen(tell);
    this.#open.add(response);
    // A reader that is gone has nothing more to be told, nor any error of its own.
    response.on("error", () => {});
    response.once("close", () => {
      unlisten();
      this.#open.delete(response);
    });
    response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
    response.flushHeaders();
  }

  /** The sidecar ends. */
  end(): void {
    for (const response of this.#open) response.end();
  }
}

/** As it is told: with the number masked. */
export function shownChange({ chat_id, ...change }: Change): LiveEvent {
  return { at: new Date().toISOString(), ...change, chat: maskAddress(chat_id) };
}
