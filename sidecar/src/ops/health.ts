import { shownId } from "@hotbags/shared";
import type { Alerts } from "../alerts/alerts.ts";
import type { RotationStatus } from "../rotation.ts";
import type { Look } from "../store/index.ts";
import type { Finding } from "./finding.ts";
import { readFindings, readFindingsWithout } from "./findings.ts";
import { describeAccount, versionsOf } from "./findings-of-links.ts";
import type { HealthParts } from "./health-parts.ts";
import { countCommands, countMessages, countOutbound, countReports } from "./stored-counts.ts";

/** With all that is counted in the store. */
export type WholeHealth = ReturnType<typeof readHealth>;
/** Without that, while a shared store is away. */
export type Health = WholeHealth | ReturnType<typeof readHealthWithout>;

/**
 * Whether messages flow: bad when the plugin or the gateway is not connected, WhatsApp is not connected, a write fails,
 * or something waits too long. A quiet night is good. Counts and sentences; no customer's number, text or token.
 * `look`: of the store. `since`: when each of the findings became as it is, wall-clock ms.
 */
export function readHealth(parts: HealthParts, look: Look, since: (finding: Finding) => number, open: Alerts["open"]) {
  return { ...describeKnown(parts, readFindings(parts, look), since, open), ...describeStored(parts, look) };
}

/** The same while a shared store is away, which `store` says. */
export function readHealthWithout(
  parts: HealthParts,
  store: Finding,
  since: (finding: Finding) => number,
  open: Alerts["open"],
) {
  return describeKnown(parts, readFindingsWithout(parts, store), since, open);
}

function describeKnown(
  parts: HealthParts,
  findings: readonly Finding[],
  since: (finding: Finding) => number,
  open: Alerts["open"],
) {
  const { store, relay, gateway, disk, plugin, outbox, rotations, lastBackup, releases } = parts;
  const accounts = Object.fromEntries(
    [...gateway.state.accounts].map(([id, state]) => [shownId(id), describeAccount(state)]),
  );
  const { reachable, lastSuccessAt, lastFailure } = relay.status;
  const files = store.files.status;
  const problems = findings.flatMap(({ problem }) => problem ?? []);

  return {
    ok: problems.length === 0,
    problems,
    rotation: describeRotations(rotations()),
    checks: findings.map((finding) => describeFinding(finding, since(finding))),
    alerts: open.map(({ kind, subject, since_at, text }) => ({ alert: kind, subject, since: iso(since_at), text })),
    plugin: { connected: plugin() !== null, outbox: describeOutbox(outbox()) },
    gateway: { link: gateway.state.link, accounts },
    versions: versionsOf(parts),
    releases: releases(),
    last_backup: lastBackup(),
    hotbags: {
      reachable,
      last_success_at: iso(lastSuccessAt),
      last_failure_at: iso(lastFailure?.at ?? null),
      last_failure: lastFailure?.error ?? null,
    },
    disk: { free_bytes: disk.status.freeBytes, low_disk_bytes: disk.status.lowBytes },
    files: { stored: files.count, bytes: files.bytes, limit_bytes: files.limitBytes },
  };
}

function describeStored(parts: HealthParts, look: Look) {
  return {
    downtime: look.downtimes.map(({ accountId, from, to }) => ({ account: accountId, from: iso(from), to: iso(to) })),
    messages: {
      ...countMessages(look),
      last_accepted_at: iso(look.lastAccepted?.at ?? null),
      oldest_wait_ms: look.longestWaitMs.messages,
    },
    commands: {
      ...countCommands(look),
      held_chats: parts.replies.status.heldChats,
      paused_chats: look.pausedChats,
      oldest_wait_ms: look.longestWaitMs.replies,
    },
    reports: describeReporting(parts, look, "reports"),
    events: describeReporting(parts, look, "events"),
    outbound: describeOutbound(parts, look),
  };
}

function describeReporting({ reporting }: HealthParts, look: Look, kind: "reports" | "events") {
  const { isOn, problem } = reporting[kind].status;
  return { on: isOn, ...countReports(look, kind), oldest_wait_ms: look.longestWaitMs[kind], last_failure: problem };
}

function describeOutbound({ outbound }: HealthParts, look: Look) {
  const { mode, lastAnswerAt, problem } = outbound.status;
  const waiting = look.outboundWaiting;
  return { mode, ...countOutbound(look), waiting, last_answer_at: iso(lastAnswerAt), last_failure: problem };
}

function describeFinding({ name, account, ok, value, problem }: Finding, since: number) {
  return { name, ...(account === undefined ? {} : { account }), ok, value, since: iso(since), advice: problem };
}

function describeOutbox(outbox: ReturnType<HealthParts["outbox"]>) {
  if (!outbox) return null;
  const { outbox_messages: messages, outbox_bytes: bytes, oldest_at, parked_messages: parked } = outbox;
  return { messages, bytes, oldest_at, parked };
}

function describeRotations(rotations: Readonly<Record<string, RotationStatus | null>>) {
  const under_way = Object.entries(rotations).flatMap(([setting, status]) => (status ? [{ setting, status }] : []));
  return Object.fromEntries(
    under_way.map(({ setting, status: { accepted, newAt, previousAt } }) => [
      setting,
      { accepted, new_at: iso(newAt), previous_at: iso(previousAt) },
    ]),
  );
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
