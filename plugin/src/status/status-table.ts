import { count, shownSize, TESTED, VERSION } from "@hotbags/shared";
import type { StatusReport } from "./status-report.ts";

/** The report for people: a line for each fact, then a line for each problem. Times are local. */
export function statusTable(report: StatusReport): string {
  const { gateway, link, outbox, disk, hook, now } = report;
  const rows: [string, string][] = [
    [
      "gateway",
      gateway.running
        ? `runs, process ${gateway.pid}, OpenClaw ${gateway.openclaw_version}${tested(gateway.openclaw_version)}`
        : "is not running",
    ],
    ["link", link === null ? "unknown" : describeLink(link, now)],
    ["outbox", outbox === null ? "none yet" : describeOutbox(outbox, report.in_memory)],
    ["oldest", outbox?.oldest ? describeOldest(outbox.oldest, now) : "nothing waits"],
    [
      "last ack",
      report.last_ack_at === null ? "never" : `${localTime(report.last_ack_at)}, ${age(report.last_ack_at, now)} ago`,
    ],
    ["disk", disk === null ? "unknown" : `${shownSize(disk.free)} left`],
    ["hook", hook === null ? "no message yet" : describeHook(hook)],
  ];
  const lines = [`Hot Bags bridge ${VERSION}`, ...rows.map(([name, says]) => `  ${name.padEnd(10)}${says}`)];
  if (report.ok) return `${lines.join("\n")}\n`;
  return `${[...lines, "", ...report.problems.map((problem) => `✗ ${problem}`)].join("\n")}\n`;
}

function tested(version: string | null): string {
  return version === null || version === TESTED.openclaw ? "" : `, which was not tested: ${TESTED.openclaw} was`;
}

function describeLink({ up, since, address, why }: NonNullable<StatusReport["link"]>, now: number): string {
  const to = address === null ? "" : ` to ${address}`;
  const reason = why === null ? "" : `: ${why}`;
  return `${up ? "up" : "down"} since ${localTime(since)}, for ${age(since, now)},${to}${reason}`;
}

function describeOutbox(outbox: NonNullable<StatusReport["outbox"]>, inMemory: number | null): string {
  const memory = inMemory === null || inMemory === 0 ? "" : `, ${inMemory} more only in memory`;
  return `${outbox.messages} waiting (${size(outbox.bytes)}), ${count(outbox.set_aside, "dead letter")}${memory}`;
}

function describeOldest(
  { captured_at, chat, message_id }: { captured_at: number; chat: string; message_id: string },
  now: number,
): string {
  return `${message_id} of ${chat} has waited ${age(captured_at, now)}, since ${localTime(captured_at)}`;
}

function describeHook({ captures, p50_ms, p95_ms, max_ms }: NonNullable<StatusReport["hook"]>): string {
  return `p50 ${p50_ms} ms, p95 ${p95_ms} ms, max ${max_ms} ms over the last ${count(captures, "message")}`;
}

/** In this machine's time zone, readable and sortable: `2026-01-31 13:05:09 +01:00`. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  const offset = -date.getTimezoneOffset();
  const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, "0");
  const shifted = new Date(ms + offset * 60_000).toISOString();
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)} ${offset < 0 ? "-" : "+"}${two(offset / 60)}:${two(offset % 60)}`;
}

function age(sinceMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3_600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

function size(bytes: number): string {
  if (bytes < 10_000) return `${bytes} bytes`;
  return bytes < 10_000_000 ? `${Math.round(bytes / 1_000)} kB` : `${Math.round(bytes / 1_000_000)} MB`;
}
