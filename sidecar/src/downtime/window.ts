import type { Connection, Downtime } from "../store/index.ts";

/**
 * When OpenClaw loses messages that came while it was away, as measured on and read in OpenClaw 2026.9.6.
 *
 * WhatsApp keeps what comes while nobody is connected, and hands it over at the next connect. Of that, OpenClaw marks read
 * and drops what is older than its catch-up, counted from the connect:
 * - 60 s, as a rule;
 * - 20 minutes, if the same start of the account took in a message within 2 hours before the connect. Every new gateway
 *   process, `channels.start` and change of the channel's configuration is a new start, with nothing taken in yet;
 * - nothing at all, if the phone logged the device out or another session took its place: WhatsApp then kept nothing.
 */
const CATCH_UP_MS = 60_000;
const LONG_CATCH_UP_MS = 20 * 60_000;
const RECENT_INBOUND_MS = 2 * 3_600_000;

/** The long catch-up is counted from the instant at which a message is handed over, and a backlog takes time. */
const BACKLOG_MS = 60_000;

/**
 * OpenClaw pings WhatsApp every 25 s, and calls a connection lost after two pings without an answer:
 * it was dead for this long at most.
 */
const SILENCE_MS = 50_000;

/** WhatsApp's reason for a disconnect that nobody announced (Baileys DisconnectReason.connectionLost). */
const LOST_STATUS = 408;

/** One look at a WhatsApp account. Times are ms since 1970 by the machine's clock, null where OpenClaw names none. */
export interface Sighting {
  /** `taken`: WhatsApp keeps nothing for this device: it is logged out, not linked, or replaced by another session. */
  readonly state: "connected" | "away" | "taken";
  readonly processId: string | null;
  readonly startedAt: number | null;
  readonly connectedAt: number | null;
  readonly lastInboundAt: number | null;
  readonly lastDisconnect: { readonly at: number; readonly status: number | null } | null;
  readonly reconnectAttempts: number;
  /** When it was looked, by both clocks. */
  readonly now: number;
  readonly uptimeMs: number;
}

export interface Seen {
  readonly connection: Connection | null;
  /** Set once for each downtime: when the account is connected again. */
  readonly downtime: Downtime | null;
  /** This look found a new connection after an earlier one. */
  readonly reconnected: boolean;
}

/**
 * What is known of an account after one more look at it. Where something can't be known the downtime comes out too long
 * rather than too short: if the sidecar did not look for a while and then finds another connection, all that time counts.
 * Two things can't be seen: a logout and a new link while the sidecar did not look; and that a connection had fallen silent
 * seconds before the gateway or the sidecar ended.
 */
export function look(known: Connection | null, seen: Sighting): Seen {
  if (seen.state !== "connected")
    return { connection: known && broken(known, seen), downtime: null, reconnected: false };
  const connection = connectionOf(seen);
  if (known === null || sameConnection(known, seen)) return { connection, downtime: null, reconnected: false };
  const last = broken(known, seen);
  const end = Math.min(seen.connectedAt ?? seen.now, seen.now);
  const { from, clockJumpMs } = beginning(last, seen, end);
  const to = end - catchUpMs(last, seen, end);
  const downtime = from === null || to > from ? { from, to, clockJumpMs } : null;
  return { connection, downtime, reconnected: true };
}

function connectionOf({ processId, startedAt, connectedAt, lastInboundAt, now, uptimeMs }: Sighting): Connection {
  const alive = { aliveAt: now, aliveUptimeMs: uptimeMs };
  return { processId, startedAt, connectedAt, lastInboundAt, state: "up", ...alive };
}

const sameStart = (known: Connection, seen: Sighting) =>
  known.processId === seen.processId && known.startedAt === seen.startedAt;

/** Compared, not ordered: a clock that jumps makes no connection older. */
const sameConnection = (known: Connection, seen: Sighting) =>
  sameStart(known, seen) && known.connectedAt === seen.connectedAt;

/** The connection as it stands once it is seen broken: how long it was alive is settled at the first such look. */
function broken(known: Connection, seen: Sighting): Connection {
  const state = seen.state === "taken" || known.state === "taken" ? "taken" : "lost";
  if (known.state !== "up" || !sameStart(known, seen)) return { ...known, state };
  const aliveAt = lastAlive(known, seen);
  const aliveUptimeMs = known.aliveUptimeMs === null ? null : known.aliveUptimeMs + aliveAt - known.aliveAt;
  return { ...known, state, aliveAt, aliveUptimeMs };
}

function lastAlive({ aliveAt, connectedAt, lastInboundAt }: Connection, seen: Sighting): number {
  const { lastDisconnect: end, reconnectAttempts } = seen;
  // From an earlier break; or from none, when OpenClaw's watchdog ended a connection that was only quiet.
  if (end === null || (connectedAt !== null && end.at < connectedAt)) return aliveAt;
  // With more than one attempt it is the last attempt that is described, and the break may have been a silent one.
  if (end.status === LOST_STATUS || reconnectAttempts > 1)
    return Math.min(aliveAt, Math.max(aliveAt - SILENCE_MS, connectedAt ?? 0, lastInboundAt ?? 0));
  // Exact, where it is sure that there was no other break before it.
  const looked = Math.abs(seen.now - aliveAt) <= CATCH_UP_MS;
  return looked && end.at > aliveAt && end.at <= seen.now ? end.at : aliveAt;
}

function beginning(last: Connection, seen: Sighting, end: number) {
  if (last.aliveUptimeMs === null) return { from: last.aliveAt > end ? null : last.aliveAt, clockJumpMs: 0 };
  const passedMs = seen.uptimeMs - last.aliveUptimeMs;
  // A clock that was set back: the time that has passed tells when it was by the clock of now. One that went forward is
  // believed: a machine that was paused looks the same from within, and then messages are missing.
  const from = Math.min(last.aliveAt, seen.now - passedMs, end);
  return { from, clockJumpMs: Math.max(0, seen.now - last.aliveAt - passedMs) };
}

function catchUpMs(last: Connection, seen: Sighting, end: number): number {
  if (last.state === "taken") return 0;
  const { lastInboundAt, startedAt } = last;
  // OpenClaw's status may name a message of an earlier start, which counts for nothing here.
  const tookIn = lastInboundAt !== null && startedAt !== null && lastInboundAt >= startedAt;
  const recent = tookIn && Math.abs(end - lastInboundAt) <= RECENT_INBOUND_MS;
  return sameStart(last, seen) && recent ? LONG_CATCH_UP_MS - BACKLOG_MS : CATCH_UP_MS;
}
