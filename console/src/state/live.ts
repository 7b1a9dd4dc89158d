import { effect, signal } from "@preact/signals";
import type { Path } from "../api/answers.ts";
import { readEvents } from "../api/event-stream.ts";
import { askSession, session } from "./session.ts";

/** `since`: of `lost`, when it was noticed; of `live`, when it began. ms since 1970. */
export interface Connection {
  state: "connecting" | "live" | "lost";
  since: number;
}

export const connection = signal<Connection>({ state: "connecting", since: Date.now() });

/** What is known of the path. Null: nothing yet. */
export const path = signal<Path | null>(null);

/** Counts up when what is shown may have changed, once a second at most. */
export const changes = signal(0);

/** The sidecar says something each 15 s; when two of these are missing, the connection is dead. */
const SILENCE_MS = 40_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
const CHANGES_EVERY_MS = 1_000;

/** The tabs of a browser share one stream: it opens six connections to a place at most, which a stream each would use up. */
const NAME = "hotbags-live";
const tabs = new BroadcastChannel(NAME);
type Told = { connection: Connection } | { path: Path } | { changed: true } | { asks: true };

let isLeader = false;

tabs.onmessage = ({ data }: MessageEvent<Told>) => {
  if ("asks" in data && isLeader) {
    tabs.postMessage({ connection: connection.value } satisfies Told);
    if (path.value !== null) tabs.postMessage({ path: path.value } satisfies Told);
  } else take(data);
};

function take(told: Told): void {
  if ("path" in told) path.value = told.path;
  if ("changed" in told) noteChange();
  if ("connection" in told) {
    const isBack = told.connection.state === "live" && connection.value.state !== "live";
    connection.value = told.connection;
    if (isBack) changes.value += 1;
  }
}

function tell(told: Told): void {
  take(told);
  tabs.postMessage(told);
}

let isChangeDue = false;

function noteChange(): void {
  if (isChangeDue) return;
  isChangeDue = true;
  setTimeout(() => {
    isChangeDue = false;
    changes.value += 1;
  }, CHANGES_EVERY_MS);
}

/** Follows what happens while somebody is logged in and looks. */
export function startLive(): void {
  const isVisible = signal(!document.hidden);
  document.addEventListener("visibilitychange", () => {
    isVisible.value = !document.hidden;
    // Nobody has told this tab what happened meanwhile.
    if (isVisible.value) noteChange();
  });
  effect(() => {
    if (!session.value || !isVisible.value) return;
    const end = new AbortController();
    follow(end.signal).catch((error: unknown) => {
      if (!end.signal.aborted) throw error;
    });
    return () => end.abort();
  });
}

async function follow(end: AbortSignal): Promise<void> {
  tabs.postMessage({ asks: true } satisfies Told);
  await navigator.locks.request(NAME, { signal: end }, async () => {
    isLeader = true;
    try {
      await stayConnected(end);
    } finally {
      isLeader = false;
    }
  });
}

async function stayConnected(end: AbortSignal): Promise<void> {
  let waitMs = FIRST_RETRY_MS;
  while (!end.aborted) {
    try {
      await readEvents("/api/events", SILENCE_MS, end, {
        onOpen() {
          waitMs = FIRST_RETRY_MS;
          tell({ connection: { state: "live", since: Date.now() } });
        },
        onEvent({ event, data }) {
          if (event === "health") tell({ path: JSON.parse(data) as Path });
          if (event === "change") tell({ changed: true });
        },
      });
    } catch (error) {
      if (end.aborted) return;
      if (error instanceof Response && error.status === 401) return void (await askSession());
    }
    if (end.aborted) return;
    if (connection.value.state !== "lost") tell({ connection: { state: "lost", since: Date.now() } });
    await pause(waitMs, end);
    waitMs = Math.min(waitMs * 2, LAST_RETRY_MS);
  }
}

function pause(ms: number, end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timeout = setTimeout(resolve, ms);
    end.addEventListener("abort", () => {
      clearTimeout(timeout);
      resolve();
    });
  });
}
