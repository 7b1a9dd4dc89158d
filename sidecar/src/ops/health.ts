import { shownId } from "@hotbags/shared";
import type { Clock } from "../clock.ts";
import type { AccountState, Gateway } from "../gateway/index.ts";
import type { OutboxStatus, PluginVersions } from "../intake/plugin-connection.ts";
import type { Relay } from "../relay/relay.ts";
import type { Replies } from "../replies/replies.ts";
import { type Failure, RESTORE, type Store } from "../store/index.ts";
import type { DiskWatch } from "./disk-watch.ts";
import { readVersions } from "./versions.ts";

/** A message or reply that waits longer than this is a customer who waits. */
const MAX_WAIT_MS = 5 * 60_000;

/** No clock that is right shows an earlier time than this: 2026-01-01. A machine without a battery starts in 1970. */
const EARLIEST_MS = Date.UTC(2026, 0);

/** How many of the last downtimes are shown. */
const SHOWN_DOWNTIMES = 5;

interface HealthParts {
  store: Store;
  relay: Relay;
  replies: Replies;
  gateway: Gateway;
  clock: Clock;
  disk: DiskWatch;
  /** Why nothing may be heard of customers, though all is connected; null where that is not so. */
  quiet: { readonly problem: string | null };
  /** What the connected plugin said of itself; null when none is connected. */
  plugin(): PluginVersions | null;
  outbox(): OutboxStatus | null;
}

/**
 * Whether messages flow: bad when the plugin or the gateway is not connected, WhatsApp is not connected, a write fails,
 * or something waits too long. A quiet night is good. Counts and sentences; no customer's number, text or token.
 */
export function readHealth({ store, relay, replies, gateway, clock, disk, quiet, plugin, outbox }: HealthParts) {
  const counts = store.counters.read();
  const messageWaitMs = store.messages.longestWaitMs();
  const replyWaitMs = store.commands.longestWaitMs();
  const accounts = Object.fromEntries([...gateway.state.accounts].map(([id, state]) => [shownId(id), describe(state)]));
  const { reachable, problem, lastSuccessAt, lastFailure } = relay.status;

  const files = store.files.status;

  const problems: string[] = [];
  problems.push(...problemsOf(store));
  if (counts.accepted !== counts.delivered + counts.pending + counts.dead + counts.discarded)
    problems.push("the ledger does not add up: accepted is not delivered + pending + dead + discarded");
  if (disk.status.problem !== null) problems.push(disk.status.problem);
  if (quiet.problem !== null) problems.push(quiet.problem);
  if (clock.now() < EARLIEST_MS)
    problems.push(
      `this machine's clock says ${iso(clock.now())}, which is wrong: set it, or let a time server do so (timedatectl set-ntp true)`,
    );
  if (!plugin())
    problems.push(
      "the OpenClaw plugin is not connected: `openclaw hotbags status` says why; if there is no such command, OpenClaw has not loaded the plugin, and its log says why",
    );
  if (gateway.state.link !== "up") problems.push(gateway.state.reason ?? "the OpenClaw gateway is not connected");
  else if (gateway.state.accounts.size === 0)
    problems.push(
      "OpenClaw names no WhatsApp account (yet): if this lasts, see channels.whatsapp in its configuration",
    );
  for (const [id, state] of gateway.state.accounts)
    if (state.code !== "connected" && state.code !== "disabled")
      problems.push(`account ${shownId(id)}: ${describe(state)}`);
  const dead = outbox()?.parked_messages ?? 0;
  if (dead > 0)
    problems.push(
      `the plugin has ${dead} dead letter(s), which are not sent: \`openclaw hotbags parked list\` says why, and deals with them`,
    );
  if (problem !== null) problems.push(problem);
  problems.push(...replies.status.problems);
  const { heldChats, handovers } = replies.status;
  if (heldChats > 0)
    problems.push(
      `replies of ${heldChats} chat(s) are held back, because these got more of them than BRIDGE_CHAT_REPLIES_PER_MINUTE or _PER_HOUR: see whether another bot answers there, or Hot Bags answers in a loop`,
    );
  if (messageWaitMs > MAX_WAIT_MS)
    problems.push(`a message has waited ${Math.round(messageWaitMs / 60_000)} minutes for Hot Bags`);
  if (replyWaitMs > MAX_WAIT_MS)
    problems.push(`a reply has waited ${Math.round(replyWaitMs / 60_000)} minutes for WhatsApp`);
  if (handovers.longestWaitMs > MAX_WAIT_MS)
    problems.push(
      `${handovers.count} reply(s) wait in OpenClaw's own queue, the oldest for ${Math.round(handovers.longestWaitMs / 60_000)} minutes: it sends them when WhatsApp takes them, or gives them back`,
    );

  return {
    ok: problems.length === 0,
    problems,
    plugin: { connected: plugin() !== null, outbox: describeOutbox(outbox()) },
    gateway: { link: gateway.state.link, accounts },
    versions: readVersions({
      plugin: plugin()?.plugin ?? null,
      openclaw: gateway.versions.openclaw ?? plugin()?.openclaw ?? null,
      whatsapp: gateway.versions.whatsapp,
    }),
    downtime: store.downtimes
      .latest(SHOWN_DOWNTIMES)
      .map(({ accountId, from, to }) => ({ account: accountId, from: iso(from), to: iso(to) })),
    hotbags: {
      reachable,
      last_success_at: iso(lastSuccessAt),
      last_failure_at: iso(lastFailure?.at ?? null),
      last_failure: lastFailure?.error ?? null,
    },
    messages: {
      accepted: counts.accepted,
      last_accepted_at: iso(store.messages.lastAccepted()?.at ?? null),
      delivered: counts.delivered,
      pending: counts.pending,
      detached: counts.detached,
      last_detached: describeFailure(store.failures.latest("detached")),
      dead: counts.dead,
      last_dead: describeFailure(store.failures.latest("dead")),
      discarded: counts.discarded,
      oldest_wait_ms: messageWaitMs,
    },
    disk: { free_bytes: disk.status.freeBytes, low_disk_bytes: disk.status.lowBytes },
    files: { stored: files.count, bytes: files.bytes, limit_bytes: files.limitBytes },
    commands: {
      pending: counts.commands_pending,
      sending: counts.commands_sending,
      held_chats: heldChats,
      paused_chats: store.pauses.chats,
      sent: counts.commands_sent,
      queued_by_gateway: counts.commands_queued_by_gateway,
      sent_from_gateway_queue: counts.replies_sent_from_queue,
      dropped_by_gateway: counts.replies_dropped,
      last_dropped_by_gateway: describeFailure(store.failures.latest("reply_dropped")),
      in_doubt: counts.commands_in_doubt,
      failed: counts.commands_failed,
      last_failed: describeFailure(store.failures.latest("command_failed")),
      skipped: counts.commands_skipped,
      done: counts.commands_done,
      oldest_wait_ms: replyWaitMs,
    },
  };
}

function problemsOf({ outage, damage }: Store): string[] {
  if (outage) {
    const what = `the database can't be written since ${iso(outage.since)}: ${outage.failure}`;
    return [outage.isDamage ? `${what}. ${RESTORE}` : what];
  }
  if (damage === null) return [];
  const what = `the database is damaged; met since ${iso(damage.since)}, at last: ${damage.failure}`;
  return [`${what}. What needs that page waits, or is given up. ${RESTORE}`];
}

function describe(state: AccountState): string {
  return state.action ? `${state.sentence} ${state.action}` : state.sentence;
}

function describeOutbox(outbox: OutboxStatus | null) {
  if (!outbox) return null;
  const { outbox_messages: messages, outbox_bytes: bytes, oldest_at, parked_messages: parked } = outbox;
  return { messages, bytes, oldest_at, parked };
}

function describeFailure(failure: Failure | null) {
  return failure && { ...failure, message_id: shownId(failure.message_id), at: iso(failure.at) };
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
