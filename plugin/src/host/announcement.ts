import { channel } from "node:diagnostics_channel";
import { guarded } from "./guard.ts";

/**
 * OpenClaw may call the hooks of another instance of this plugin than the one whose service it started: after some
 * edits of its configuration, for as long as it runs (2026.9.6). Instances share no variables, not even the module's,
 * so the one that stored a message tells the one with the link through Node's process-wide channel.
 */
const ANNOUNCEMENTS = channel("hotbags.bridge");

/**
 * `ready`: the message at this place in the outbox may be sent. `sent`: a frame about a send that was observed.
 * `tookMs`: how long the capture hook took for a message.
 */
export type Announcement = { ready: number } | { sent: string } | { tookMs: number };

/** Tells every instance in this process that uses the outbox `file`. */
export function announce(file: string, announcement: Announcement): void {
  ANNOUNCEMENTS.publish({ file, announcement });
}

/** Calls the listener for every announcement; `failed` is told what it throws. Returns what ends that. */
export function onAnnounced(
  file: string,
  listener: (announcement: Announcement) => void,
  failed: (error: unknown) => void,
): () => void {
  const guardedListener = guarded((published: unknown) => {
    const heard = published as { file: string; announcement: Announcement };
    if (heard.file === file) listener(heard.announcement);
  }, failed);
  ANNOUNCEMENTS.subscribe(guardedListener);
  return () => ANNOUNCEMENTS.unsubscribe(guardedListener);
}
